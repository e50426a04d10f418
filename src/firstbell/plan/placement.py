"""On which node of a cluster a server is started: where its home is, else where the most memory is free. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from firstbell.model.observed import NodeState
from firstbell.plan.memory_room import MachineMemory, need_of_one, reserve, room_for_more, size_words

_ABOUT = 0.9
"""The share of the most room from which a node has as much, roughly: memory that is free changes while one looks."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node as it is now."""

    node: NodeState
    memory: MachineMemory
    servers: int = 0
    """How many run there."""
    coming: int = 0
    """How many are being started there, and use little of their memory yet."""
    has_image: bool = True
    has_homes: bool = True
    """Whether the homes that all nodes share can be had there; true where each is on one node."""

    @property
    def name(self) -> str:
        """Of the node."""
        return self.node.name

    def fits(self, limit: int) -> int | None:
        """How many more servers of that limit it holds; None where its memory is not known."""
        return room_for_more(self.memory, limit, self.coming)


@dataclass(frozen=True, slots=True)
class NoPlace:
    """Why no node takes a server now, in words for its owner."""

    words: str
    is_full: bool = False
    """Whether more memory is all that is lacking."""


def place(
    candidates: Sequence[Candidate], limit: int, home: str = "", may: Callable[[str], bool] = lambda _: True
) -> Candidate | NoPlace | None:
    """The node for another server of `limit` bytes; None if those that could take it may not now (`may`) but will.

    `home` is the node that has the server's files, and then the only one that can run it; empty for any.
    """
    asked = [c for c in candidates if not home or c.name == home]
    good = [c for c in asked if not hindrance(c, limit)]
    if not good:
        return NoPlace(_words(candidates, limit, home), any(_is_only_full(c, limit) for c in asked))
    free = [c for c in good if may(c.name)]
    return _preferred(free, limit) if free else None


def _preferred(free: Sequence[Candidate], limit: int) -> Candidate:
    """Of those with about the most room left the one with the fewest servers: what is free is never quite the same."""
    room = {c.name: c.fits(limit) or 0 for c in free}  # 0 where its memory is not known
    enough = _ABOUT * max(room.values())
    near = [c for c in free if room[c.name] >= enough]
    return min(near, key=lambda c: (c.servers + c.coming, -room[c.name], c.name))


def hindrance(candidate: Candidate, limit: int) -> str:
    """Why no server can be started on the node, as an end of a sentence that begins with its name; empty if one can."""
    if why := node_hindrance(candidate.node):
        return why
    if not candidate.has_image:
        return "has not got the course's image"
    if not candidate.has_homes:
        return "does not reach the homes"
    return f"has {_left(candidate, limit)} left" if candidate.fits(limit) == 0 else ""


def node_hindrance(node: NodeState) -> str:
    """The same of what the node is, without its memory and images."""
    if not node.prepared:
        return "is not prepared (firstbell nodes prepare)"
    if not node.ready or not node.linked:
        return "does not answer"
    return {"active": "", "drain": "is drained", "pause": "is paused"}.get(node.availability, "takes no servers")


def _is_only_full(candidate: Candidate, limit: int) -> bool:
    return not node_hindrance(candidate.node) and candidate.has_image and candidate.fits(limit) == 0


def _left(candidate: Candidate, limit: int) -> str:
    memory = candidate.memory
    promised = candidate.coming * need_of_one(memory, limit)
    return size_words(max(0, memory.available - reserve(memory.total) - promised))


def _words(candidates: Sequence[Candidate], limit: int, home: str) -> str:
    if home:
        there = [c for c in candidates if c.name == home]
        why = hindrance(there[0], limit) if there else "is no node of this cluster any more"
        return f"The files are on {home}, which {why}."
    if not candidates:
        return "The cluster has no nodes that are known."
    need = max((need_of_one(c.memory, limit) for c in candidates if c.memory.is_known), default=limit)
    each = ", ".join(f"{c.name} {hindrance(c, limit)}" for c in sorted(candidates, key=lambda c: c.name))
    return f"No node has {size_words(need)} left for another server: {each}."


def fits_on_all(candidates: Iterable[Candidate], limit: int) -> int | None:
    """How many more servers all nodes together hold that can be used; None where the memory of one is not known."""
    each = [c.fits(limit) for c in candidates if not node_hindrance(c.node) and c.has_image]
    return None if any(fits is None for fits in each) else sum(fits or 0 for fits in each)
