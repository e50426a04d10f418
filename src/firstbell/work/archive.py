"""`firstbell archive`: everything of a course in files that are checked, one for each person and one for the course.

Streamed from the engine, so that nothing is held in memory and no disk but the archive's own is filled; one person at a
time, at half speed while servers run. Killed anywhere, the next run goes on with whoever is missing.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.engine.cluster import machine_of
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.archive import COURSE, ArchiveCourse, ArchivePerson, ArchiveStep
from firstbell.model.course import Course
from firstbell.model.home import Home
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.plan.archive import plan_archive
from firstbell.work import archive_file, saved
from firstbell.work.archive_books import read_books
from firstbell.work.archive_file import Pace
from firstbell.work.archive_index import refuse_complete, write_index, written
from firstbell.work.archive_parts import Parts
from firstbell.work.homes import list_homes
from firstbell.work.lock import course_lock
from firstbell.work.roster_file import roster_of
from firstbell.work.show import Show, shown

_ENDED = "ended.json"


@dataclass(frozen=True, slots=True)
class Archived:
    """How it ended."""

    folder: str
    people: int
    size: int
    """Bytes of the archives."""
    inside: int
    """Bytes of all files in them."""
    resumed: int
    """How many an earlier run had written."""
    seconds: float


async def homes_of(engine: Engine, course: Course) -> tuple[Home, ...]:
    """All homes of the course. Raises FirstbellError for one that cannot be read now, or whose owner nobody knows."""
    homes = await list_homes(engine, course, [person.username for person in roster_of(course).people])
    if away := [home.user for home in homes if home.is_away]:
        raise FirstbellError(
            f"the homes of {', '.join(away)} are on machines that do not answer",
            where=course.name,
            next_step="Bring them back: firstbell nodes list. What is lost for good: firstbell homes delete USER",
        )
    if course.homes.nfs and (strange := [home.name for home in homes if not home.user]):
        raise FirstbellError(
            f"nobody knows whose {', '.join(strange)} is",
            where=course.homes.store,
            next_step="Name them in the roster, or move the folders away.",
        )
    return homes


async def plan(engine: Engine, course: Course, folder: Path) -> tuple[ArchiveStep, ...]:
    """What would be done, but for people who have handed in and have no home."""
    refuse_complete(folder)
    return plan_archive(course, await homes_of(engine, course), (), str(folder))


async def archive(
    engine: Engine, course: Course, course_file: str, folder: Path, show: Show, *, since: float = 0.0
) -> Archived:
    """Write it. What a run before this has written stays, if it was begun after `since`.

    Raises FirstbellError where something cannot be read, or written: then what is whole stays, and nothing else.
    """
    refuse_complete(folder)
    started = time.monotonic()
    with course_lock(course.name), _told_of_the_disk(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        observed = await engine.observe(course.name)
        machine = await _coursework_machine(engine, course, observed)
        books = await read_books(machine, course, observed)
        homes = await homes_of(engine, course)
        steps = plan_archive(course, homes, books.people, str(folder))
        done = {step.name: old for step in steps if isinstance(step, ArchivePerson) if (old := written(folder, step))}
        done = {name: old for name, old in done.items() if old.at >= since}
        resumed = len(done)
        pace = Pace(is_gentle=any(state.phase is Phase.RUNNING for state in observed.of_role(Role.SERVER)))
        work = Parts(engine, machine, course, observed, folder, books, pace, show)
        left = plan_archive(course, homes, books.people, str(folder), frozenset(done))
        for step in shown(left, show):
            if isinstance(step, ArchivePerson):
                done[step.name] = await work.person(step)
            elif isinstance(step, ArchiveCourse):
                done[COURSE] = await work.course_itself(course_file)
            else:
                write_index(folder, course, tuple(done.values()))
                await saved.note(engine, course, "archive", f"everything of {len(done) - 1} people")
    size, inside = sum(one.size for one in done.values()), sum(one.bytes_inside for one in done.values())
    return Archived(str(folder), len(done) - 1, size, inside, resumed, time.monotonic() - started)


async def _coursework_machine(engine: Engine, course: Course, observed: Observed) -> Engine:
    """The daemon that has the volumes of the course itself."""
    volume = observed.volume(names.volume(course.name, Role.STATE))
    return await machine_of(engine, volume.node if volume else "")


def write_ended(folder: Path, at: float) -> None:
    """Write down when the course was ended for its archive. Raises FirstbellError where it cannot be."""
    with _told_of_the_disk(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        archive_file.write_json(folder / _ENDED, {"at": at})


def ended_at(folder: Path) -> float:
    """When that was (Unix seconds); 0 if it was not."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads((folder / _ENDED).read_bytes())["at"])
    return 0.0


@contextlib.contextmanager
def _told_of_the_disk(folder: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise FirstbellError(
            f"the archive cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(folder),
            next_step="Make room, or name another place with --to; run again, it goes on with who is missing.",
        ) from error
