"""Whether a bell can be met, said before it rings, and how many starts a machine takes at once. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from firstbell.plan.bells import Occurrence
from firstbell.plan.memory_room import MachineMemory, need_of_one, reserve, room_for_more, room_on_all, size_words

FIRST_GUESS = 3.0
"""Seconds of one start on one of the queue's slots, as long as none was measured."""
_BUSY = 60.0
"""Share of time (%) in which somebody waited for a processor, above which starts go one by one (kernel.org, PSI)."""
_SHORT_OF_MEMORY = 10.0
"""Share of time (%) in which somebody waited for memory, above which nothing is started."""


class Hindrance(StrEnum):
    """What keeps a bell from being met."""

    NOBODY = "nobody"
    CAPACITY = "capacity"
    MEMORY = "memory"
    IMAGE = "image"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, with how many servers will be ready in spite of it."""

    hindrance: Hindrance
    ready: int
    words: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a forecast is made from."""

    now: dt.datetime
    memory: MachineMemory
    limit: int
    """Memory of one server, bytes."""
    seconds_each: float
    """Between two starts that end, when starting goes on: what one takes, divided by how many go at once."""
    capacity: int
    inside: int = 0
    """People who are in and for whom the bell is not."""
    has_image: bool = True
    image: str = ""
    nodes: tuple[MachineMemory, ...] = ()
    """Of a cluster, what each node has; `memory` is then all of them together."""

    def fits(self) -> int | None:
        """How many more servers the memory holds; None where it is not known."""
        return room_on_all(self.nodes, self.limit) if self.nodes else room_for_more(self.memory, self.limit)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What can be said about one ringing beforehand."""

    wanted: int
    running: int
    """How many of them run already."""
    begins: dt.datetime
    done: dt.datetime
    """When the last is likely to be ready."""
    reasons: tuple[Reason, ...] = ()

    @property
    def can_be_met(self) -> bool:
        """Whether all that are wanted will be ready by the bell."""
        return not self.reasons

    @property
    def ready(self) -> int:
        """How many will be ready by the bell."""
        return min([self.wanted, *(reason.ready for reason in self.reasons)])

    @property
    def words(self) -> str:
        """All of it in a sentence or more."""
        if not self.reasons:
            return f"{_servers(self.wanted)} will be ready."
        return " ".join(reason.words for reason in self.reasons)


def forecast(ring: Occurrence, wanted: int, running: int, conditions: Conditions) -> Forecast:
    """Whether `ring` can be met for `wanted` servers of which `running` run."""
    missing = max(0, wanted - running)
    begins = ring.begins(missing, conditions.seconds_each)
    done = max(begins, conditions.now) + dt.timedelta(seconds=missing * conditions.seconds_each)
    reasons = tuple(_reasons(ring, wanted, running, done, conditions))
    return Forecast(wanted, running, begins, done, reasons)


def _reasons(ring: Occurrence, wanted: int, running: int, done: dt.datetime, now: Conditions) -> Iterator[Reason]:
    missing = max(0, wanted - running)
    if not wanted:
        whom = ring.who.removeprefix("section:")
        words = "The roster has nobody." if ring.who == "everyone" else f"The roster has nobody in section {whom}."
        yield Reason(Hindrance.NOBODY, 0, words)
        return
    room = max(0, now.capacity - now.inside)
    if wanted > room:
        others = f" and {now.inside} are in already" if now.inside else ""
        words = f"{_servers(wanted)} are wanted, the room holds {now.capacity}{others}: {room} can be ready."
        yield Reason(Hindrance.CAPACITY, room, words)
    if missing and not now.has_image:
        words = f"The image {now.image} is not on this machine: none can start. Bring it with: firstbell up"
        yield Reason(Hindrance.IMAGE, running, words)
    fits = now.fits()
    if fits is not None and missing > fits:
        yield Reason(Hindrance.MEMORY, running + fits, _memory_words(missing, fits, now))
    if missing and done > ring.at:
        needed = missing * now.seconds_each
        left = max(0.0, (ring.at - done).total_seconds() + needed)
        by_then = running + min(missing, int(left / now.seconds_each))
        after = (done - ring.at).total_seconds()
        yield Reason(Hindrance.LATE, by_then, _late_words(missing, needed, left, by_then, after))


def _memory_words(missing: int, fits: int, now: Conditions) -> str:
    each, total = need_of_one(now.memory, now.limit), now.memory.total
    kept = sum(reserve(node.total) for node in now.nodes) or reserve(total)
    where = f" on {len(now.nodes)} nodes" if now.nodes else ""
    return (
        f"{_servers(missing)} of about {size_words(each)} need {size_words(missing * each)}; "
        f"{size_words(now.memory.available)} of {size_words(total)} are left{where}, of which "
        f"{size_words(kept)} are kept for people at work: {fits} fit."
    )


def _late_words(missing: int, needed: float, left: float, by_then: int, after: float) -> str:
    time = f"{left:.0f} s are left" if left else "the bell has rung"
    by_the_bell = f"{by_then} by the bell, all" if by_then else "all"
    return (
        f"{_servers(missing)} take about {math.ceil(needed)} s and {time}: {by_the_bell} {math.ceil(after)} s after it."
    )


def _servers(count: int) -> str:
    return "one server" if count == 1 else f"{count} servers"


@dataclass(frozen=True, slots=True)
class Pressure:
    """How the machine does at a moment: shares of the last ten seconds (%) in which something waited."""

    cpu: float = 0.0
    memory: float = 0.0


def starts_at_once(slots: int, pressure: Pressure, at_work: int) -> int:
    """How many of a bell's starts may go at once; 0 for none now.

    Starting keeps processors busy by itself, so that a busy machine says nothing while nobody is at work on it. Where
    somebody is, a quarter of the width leaves most of it to them. Being short of memory ends it for now: one server
    more is what somebody's kernel would be ended for.
    """
    if pressure.memory > _SHORT_OF_MEMORY:
        return 0
    return max(1, slots // 4) if at_work and pressure.cpu > _BUSY else slots
