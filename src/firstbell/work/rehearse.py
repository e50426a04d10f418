"""`rehearse`: test people are made, come in as a crowd of browsers, are measured, and are removed again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firstbell.engine.base import Engine
from firstbell.model.course import Course
from firstbell.plan.memory_room import room_for_more
from firstbell.rehearsal.crowd import arrivals, drive
from firstbell.rehearsal.record import Record
from firstbell.rehearsal.visit import SCRATCH_CELLS, Person, Script, Visit
from firstbell.work import bells
from firstbell.work.lock import course_lock
from firstbell.work.people import control
from firstbell.work.rehearse_people import clear_away, left_over, open_rehearsal
from firstbell.work.rehearse_record import Watched, Wish, is_local, make_record, memory_of, servers_cpu
from firstbell.work.rehearse_sampler import Sampler

_GRACE = 600
"""Seconds that a server of a rehearsal waits for its person, after all should have come."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known before: who is in, and whether there is room for the crowd."""

    inside: tuple[str, ...]
    capacity: int
    memory_for_more: int | None
    """How many more servers fit; None where nobody knows."""
    left_over: int
    """Test people of an earlier rehearsal, which was cut off or kept."""

    def remarks(self, people: int) -> tuple[str, ...]:
        """What stands in the way of so many, in sentences."""
        found = []
        room = self.capacity - len(self.inside)
        if people > room:
            found.append(f"The course's room holds {self.capacity}, so {max(room, 0)} of {people} get in at once.")
        if self.memory_for_more is not None and people > self.memory_for_more:
            found.append(f"The machine's memory holds about {self.memory_for_more} more servers, not {people}.")
        return tuple(found)


class Watcher(Protocol):
    """Is told how it goes."""

    def note(self, text: str) -> None:
        """Something else begins."""
        ...

    def stage(self, number: int, stage: str, seconds: float) -> None:
        """Somebody has reached a stage."""
        ...

    def gone(self, visit: Visit) -> None:
        """Somebody's visit has ended."""
        ...


Found = Callable[[Record, tuple[Visit, ...]], None]


async def prospect(engine: Engine, course: Course) -> Prospect:
    """Look at the running course. Raises StartFailed where it does not run."""
    inside = await control(engine, course, "active")
    remains = await left_over(engine, course)
    inside = [name for name in inside if name not in (remains or ())]
    return Prospect(
        inside=tuple(inside),
        capacity=course.access.capacity,
        memory_for_more=room_for_more(await memory_of(engine, course), course.server.memory),
        left_over=len(remains or ()),
    )


async def rehearse(engine: Engine, course: Course, wish: Wish, watcher: Watcher, found: Found) -> None:
    """All of it. `found` is told what was measured, before anything is removed.

    Test people are removed at the end, also after a failure or Ctrl-C, unless they are to be kept.

    Raises CourseBusy while another command is at work on the course, StartFailed where it does not run.
    """
    with course_lock(course.name):
        if await left_over(engine, course) is not None:
            watcher.note("removing what an earlier rehearsal has left")
            await clear_away(engine, course)
        async with _people(engine, course, wish, watcher) as people:
            found(*await _drive(engine, course, wish, people, watcher))


async def clean_up(engine: Engine, course: Course) -> int:
    """Remove what rehearsals have left; how many people."""
    with course_lock(course.name):
        return await clear_away(engine, course)


@contextlib.asynccontextmanager
async def _people(engine: Engine, course: Course, wish: Wish, watcher: Watcher) -> AsyncIterator[list[Person]]:
    try:
        watcher.note(f"making {wish.people} test people")
        people = await open_rehearsal(engine, course, wish.people)
        if wish.warm:
            watcher.note("ringing: their servers are started beforehand")
            await _ring(engine, course, wish, watcher)
        yield people
    finally:
        if not wish.keep:
            watcher.note("removing the test people, their servers and homes")
            # A second Ctrl-C ends the command at once; the next rehearsal then removes them.
            await clear_away(engine, course)


async def _ring(engine: Engine, course: Course, wish: Wish, watcher: Watcher) -> None:
    """As a bell does: a seminar's seats are prepared for whoever comes, others' servers are theirs by name."""
    grace = int(wish.within) + _GRACE
    if course.access.login == "seminar":
        ring = bells.Wish(people=wish.people, grace=grace)
    else:
        ring = bells.Wish(names=await left_over(engine, course) or (), grace=grace)
    await bells.ring_now(engine, course, ring, lambda line: watcher.note(f"{line.ready} of {line.wanted} ready"))


async def _drive(
    engine: Engine, course: Course, wish: Wish, people: Sequence[Person], watcher: Watcher
) -> tuple[Record, tuple[Visit, ...]]:
    inside: set[int] = set()

    def told(number: int, stage: str, seconds: float) -> None:
        if stage == "lab":
            inside.add(number)
        watcher.stage(number, stage, seconds)

    sampler = Sampler(engine, course, lambda: len(inside), is_local=is_local(course))
    cpu_before = await servers_cpu(engine, course)
    await sampler.start(time.time())
    watching = asyncio.create_task(sampler.run())
    script = Script(
        url=course.public_url,
        notebook=wish.notebook,
        cells=SCRATCH_CELLS,
        most_cells=wish.cells,
        pause=wish.pause,
    )
    try:
        watcher.note(f"{wish.people} people come within {wish.within:g} s")
        crowd = await drive(
            script, arrivals(people, wish.within), processes=wish.processes, told=told, gone=watcher.gone
        )
        await sampler.sample()
    finally:
        watching.cancel()
    watcher.note("measuring what their servers use")
    return await make_record(engine, course, wish, crowd, Watched(tuple(sampler.samples), cpu_before)), crowd.visits
