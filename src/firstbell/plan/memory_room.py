"""Whether a machine's memory holds another server: one rule for the queue, bells, `status` and `plan`. Pure.

A server's limit is what it may use, not what it uses: thirty idle Jupyters of a limit of 1 GiB fit into 3 GiB. So a
server counts as what those that run use on average, and a part of the machine is kept free for those to grow into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstbell.model.container import GIB, MIB

USUAL = 100 * MIB
"""Bytes that a server with one kernel is reckoned at, at least: what an idle one uses (docs/benchmarks.md)."""
LEAST_RESERVE = 256 * MIB
RESERVED = 20
"""One in so many bytes of the machine is kept for those who are at work."""


@dataclass(frozen=True, slots=True)
class MachineMemory:
    """A machine's memory at one moment, in bytes; `total` 0 is a machine of which nothing is known."""

    total: int
    available: int
    """What programs can still have without anything being swapped or killed: MemAvailable, not "free"."""
    servers: int = 0
    """How many servers were measured."""
    servers_use: int = 0
    """What those use together."""

    @property
    def is_known(self) -> bool:
        """Whether anything can be said."""
        return self.total > 0


def reserve(total: int) -> int:
    """Bytes that are never given to another server."""
    return max(LEAST_RESERVE, total // RESERVED)


def need_of_one(memory: MachineMemory, limit: int) -> int:
    """Bytes that the next server is reckoned at: the average of those that run, never more than its limit."""
    average = memory.servers_use // memory.servers if memory.servers else 0
    return min(max(USUAL, average), limit)


def room_for_more(memory: MachineMemory, limit: int, coming: int = 0) -> int | None:
    """How many more servers of that limit fit beside `coming` that start and use little yet; None where unknown."""
    if not memory.is_known:
        return None
    free = memory.available - reserve(memory.total)
    return max(0, free // need_of_one(memory, limit) - coming)


def room_on_all(memories: Iterable[MachineMemory], limit: int, coming: int = 0) -> int | None:
    """The same for several machines: what is left over on each does not add up to another server."""
    each = [room_for_more(memory, limit) for memory in memories]
    return None if not each or None in each else max(0, sum(fits or 0 for fits in each) - coming)


def together(memories: Sequence[MachineMemory]) -> MachineMemory:
    """Several machines as one, for sums; what servers use was measured over all of them."""
    first = memories[0] if memories else MachineMemory(0, 0)
    total, available = sum(m.total for m in memories), sum(m.available for m in memories)
    return MachineMemory(total, available, first.servers, first.servers_use)


def capacity_for(total: int, each: int, others: int = 0) -> int:
    """How many servers of `each` bytes a machine of `total` holds, beside `others` bytes of everything else."""
    return max(0, (total - reserve(total) - others) // max(1, each))


def full_words(memory: MachineMemory, limit: int, running: int) -> str:
    """Why no more fits, with numbers, for somebody whose start is refused."""
    servers = {0: "no servers run", 1: "one server runs"}.get(running, f"{running} servers run")
    return (
        f"This machine's memory is full: {servers}, {size_words(memory.available)} of {size_words(memory.total)} are "
        f"left, of which {size_words(reserve(memory.total))} are kept for the people at work. Another server "
        f"needs about {size_words(need_of_one(memory, limit))}."
    )


def size_words(amount: int) -> str:
    """An amount of memory, for people."""
    return f"{amount / GIB:.1f} GiB" if amount >= GIB else f"{amount // MIB} MiB"
