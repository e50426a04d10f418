"""`firstbell archive`: everything of a course in files that are checked, one for each person and one for the course.

Streamed from the engine, so that nothing is held in memory and no disk but the archive's own is filled; one person at a
time, at half speed while servers run. Killed anywhere, the next run goes on with whoever is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import firstbell
from firstbell.coursework.grades import grades_csv
from firstbell.engine import docker_tar
from firstbell.engine.base import Engine
from firstbell.engine.cluster import machine_of
from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.model import names
from firstbell.model.archive import (
    COURSE,
    FORMAT,
    INDEX,
    ArchiveCourse,
    ArchivePerson,
    ArchiveStep,
    Flaw,
    Packed,
)
from firstbell.model.container import ContainerSpec, Mount, MountKind, VolumeSpec
from firstbell.model.course import Course
from firstbell.model.home import Home
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.model.runtime import COURSEWORK_DIR, HOME_DIR, SAVED_DIR
from firstbell.plan.archive import plan_archive, without_secrets
from firstbell.plan.place import course_place
from firstbell.plan.upgrade import saved_spec
from firstbell.work import archive_file, saved
from firstbell.work.archive_file import MANIFEST, TAR, Pace, Packer, Unreadable
from firstbell.work.archive_stream import Pieces
from firstbell.work.build import plan_hub_image
from firstbell.work.coursework import read_grades
from firstbell.work.home_helper import WAITS, helper
from firstbell.work.home_places import engine_of_home
from firstbell.work.homes import list_homes
from firstbell.work.lock import course_lock
from firstbell.work.roster_file import has_roster, roster_of
from firstbell.work.show import Show, shown

_POINT = "0-archive"
"""Under which name the databases are saved for it; there is one, renewed each time."""
_ENDED = "ended.json"
_ATTEMPTS = 3
_NOBODY = "65534:65534"
_RECEIPTS = "SELECT assignment, user, kind, time, taken, by, id, receipt, files, size FROM handins ORDER BY time"


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


@dataclass(frozen=True, slots=True)
class Books:
    """What the databases say of everybody."""

    receipts: tuple[Mapping[str, Any], ...] = ()
    grades: tuple[Mapping[str, Any], ...] = ()
    databases: Mapping[str, bytes] | None = None

    @property
    def people(self) -> set[str]:
        """Who has handed in."""
        return {str(row["user"]) for row in self.receipts}

    @property
    def assignments(self) -> list[str]:
        """All that were handed in."""
        return sorted({str(row["assignment"]) for row in self.receipts})


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


def refuse_complete(folder: Path) -> None:
    """Raises FirstbellError where there is a whole archive already: it is not written over."""
    if (folder / INDEX).exists():
        raise FirstbellError(
            "there is a whole archive already",
            where=str(folder),
            next_step=f"See whether it is sound: firstbell archive --check {folder}; or name another folder: --to DIR",
        )


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
        books = await _read_books(machine, course, observed)
        homes = await homes_of(engine, course)
        steps = plan_archive(course, homes, books.people, str(folder))
        done = {step.name: old for step in steps if isinstance(step, ArchivePerson) if (old := _written(folder, step))}
        done = {name: old for name, old in done.items() if old.at >= since}
        resumed = len(done)
        pace = Pace(is_gentle=any(state.phase is Phase.RUNNING for state in observed.of_role(Role.SERVER)))
        work = _Work(engine, machine, course, observed, folder, books, pace, show)
        left = plan_archive(course, homes, books.people, str(folder), frozenset(done))
        for step in shown(left, show):
            if isinstance(step, ArchivePerson):
                done[step.name] = await work.person(step)
            elif isinstance(step, ArchiveCourse):
                done[COURSE] = await work.course_itself(course_file)
            else:
                _write_index(folder, course, tuple(done.values()))
                await saved.note(engine, course, "archive", f"everything of {len(done) - 1} people")
    size, inside = sum(one.size for one in done.values()), sum(one.bytes_inside for one in done.values())
    return Archived(str(folder), len(done) - 1, size, inside, resumed, time.monotonic() - started)


def _written(folder: Path, step: ArchivePerson) -> Packed | None:
    """What a run before this one has written of somebody; None if it is not whole."""
    try:
        old = archive_file.packed_of(json.loads((folder / f"{step.name}{MANIFEST}").read_bytes()))
        is_there = (folder / f"{step.name}{TAR}").stat().st_size == old.size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return old if is_there and (old.user, old.home) == (step.user, step.home) else None


async def _coursework_machine(engine: Engine, course: Course, observed: Observed) -> Engine:
    """The daemon that has the volumes of the course itself."""
    volume = observed.volume(names.volume(course.name, Role.STATE))
    return await machine_of(engine, volume.node if volume else "")


async def _read_books(engine: Engine, course: Course, observed: Observed) -> Books:
    """The databases as they are now, and what they say."""
    if observed.volume(names.volume(course.name, Role.STATE)) is None:
        return Books()
    image = await _hub_image(engine, course, observed)
    await engine.ensure_volume(saved_spec(course))
    await saved.ask(engine, course, image, "save", _POINT, '{"kind": "archive", "version": ""}')
    wanted = {"acts.sqlite": "state", "book.sqlite": "coursework", "gradebook.db": "coursework"}
    found: dict[str, bytes] = {}
    async with _running(engine, _course_helper(course, observed)) as name:
        for file, part in wanted.items():
            content = await _fetch(engine, name, f"{SAVED_DIR}/{_POINT}/{part}/{file}")
            if content is not None:
                found[file] = content
    receipts = await asyncio.to_thread(_receipts, found["book.sqlite"]) if "book.sqlite" in found else ()
    grades = await read_grades(engine, course) if "gradebook.db" in found and course.coursework else ()
    return Books(receipts, grades, found)


async def _hub_image(engine: Engine, course: Course, observed: Observed) -> str:
    """Of this version if it is here, as it was for `up`; else what runs, or ran last."""
    own = (await asyncio.to_thread(plan_hub_image, course)).tag
    running = observed.container(names.container(course.name, Role.HUB)).image
    return own if await engine.image(own) else running or observed.newest_image(Role.HUB_IMAGE) or own


def _receipts(book: bytes) -> tuple[Mapping[str, Any], ...]:
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(book)
        file.flush()
        with contextlib.closing(sqlite3.connect(f"file:{file.name}?mode=ro&immutable=1", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return tuple(dict(row) for row in db.execute(_RECEIPTS))


def _course_helper(course: Course, observed: Observed) -> ContainerSpec:
    """A container that sees the coursework and what was saved, read-only, and of both does nothing."""
    saved_mount = Mount(MountKind.VOLUME, names.volume(course.name, Role.SAVED), SAVED_DIR, read_only=True)
    coursework = Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), COURSEWORK_DIR, read_only=True)
    has_coursework = observed.volume(coursework.source) is not None
    return helper(observed, "", (saved_mount, *([coursework] if has_coursework else [])), WAITS, user=_NOBODY)


@contextlib.asynccontextmanager
async def _running(engine: Engine, spec: ContainerSpec) -> AsyncIterator[str]:
    """A helper under a name of its own, so that what a killed command left is found by the next."""
    name = f"{spec.name.rpartition('-')[0]}-archive"
    await engine.stop(name, 0)
    await engine.start(replace(spec, name=name))
    try:
        yield name
    finally:
        await asyncio.shield(engine.stop(name, 0))


async def _fetch(engine: Engine, name: str, path: str) -> bytes | None:
    """A file of a container, however large; None if there is none."""
    return await docker_tar.read_file(partial(engine.get, name), path, math.inf)


@dataclass(frozen=True, slots=True)
class _Work:
    """One archive being written."""

    _engine: Engine
    _machine: Engine
    """The daemon that has the coursework."""
    _course: Course
    _observed: Observed
    _folder: Path
    _books: Books
    _pace: Pace
    _show: Show

    async def person(self, step: ArchivePerson) -> Packed:
        """Home, hand-ins, feedback, receipts and grades of one person."""

        async def fill(packer: Packer) -> None:
            if step.home:
                await self._add_home(packer, step)
            if step.user and self._books.receipts:
                await self._add_coursework(packer, step.user)
            own = {
                "receipts.json": [row for row in self._books.receipts if row["user"] == step.user],
                "grades.json": [dict(row) for row in self._books.grades if row.get("user") == step.user],
            }
            for name, rows in own.items():
                if rows:
                    packer.add_bytes(name, json.dumps(rows, indent=1, ensure_ascii=False).encode())

        return await self._packed(step.name, step.user, step.home, fill)

    async def course_itself(self, course_file: str) -> Packed:
        """The course file without secrets, the roster, the record, the grade book, the book of tasks, assignments."""
        course, books = self._course, self._books

        async def fill(packer: Packer) -> None:
            packer.add_bytes("firstbell.toml", without_secrets(course_file).encode())
            if has_roster(course):
                packer.add_bytes("roster.csv", course.access.roster.read_bytes())
            for name, content in (books.databases or {}).items():
                packer.add_bytes(name, content)
            if books.grades:
                packer.add_bytes("grades.csv", grades_csv(books.grades).encode())
            if self._observed.volume(names.volume(course.name, Role.COURSEWORK)):
                async with _running(self._machine, _course_helper(course, self._observed)) as name:
                    for part in ("source", "release", "nbgrader_config.py"):
                        await self._add(packer, self._machine, name, f"{COURSEWORK_DIR}/{part}", part)

        return await self._packed(COURSE, "", "", fill)

    async def _packed(self, name: str, user: str, home: str, fill: Any) -> Packed:
        at = time.time()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with archive_file.packing(self._folder, name, self._pace) as packer:
                    await fill(packer)
                wish = Packed(name, user, home, at, "", 0, packer.files)
                self._show.on_progress(Progress("reading it again"))
                return await asyncio.to_thread(archive_file.finish, self._folder, wish, self._pace)
            except (Unreadable, EngineUnavailable) as error:
                if attempt == _ATTEMPTS:
                    raise FirstbellError(
                        f"what is of {user or 'the course'} cannot be read whole: {error}",
                        where=home or name,
                        next_step="Is somebody at work there? Stop their server, then run it again: it goes on.",
                    ) from error
                self._show.on_progress(Progress(f"once more: {error}"))
        raise AssertionError

    async def _add_home(self, packer: Packer, step: ArchivePerson) -> None:
        place = course_place(self._course, step.user or step.home)
        if not step.user:
            place = replace(place, volume=VolumeSpec(step.home))
        machine = await engine_of_home(self._engine, self._observed, place)
        for way in place.ways:
            await machine.ensure_volume(way)
        spec = helper(self._observed, place.user, (place.mount(read_only=True),), WAITS, user=_NOBODY)
        async with _running(machine, spec) as name:
            await self._add(packer, machine, name, HOME_DIR, "home")

    async def _add_coursework(self, packer: Packer, user: str) -> None:
        async with _running(self._machine, _course_helper(self._course, self._observed)) as name:
            for assignment in self._books.assignments:
                path = f"{COURSEWORK_DIR}/handins/{assignment}/{user}"
                await self._add(packer, self._machine, name, path, f"handins/{assignment}")
            for part in ("autograded", "feedback"):
                await self._add(packer, self._machine, name, f"{COURSEWORK_DIR}/{part}/{user}", part)

    async def _add(self, packer: Packer, engine: Engine, name: str, path: str, prefix: str) -> None:
        """What is at a path of a container, if anything is."""
        pieces = Pieces(engine.get(name, path), lambda done: self._show.on_progress(Progress(prefix, done=done)))
        try:
            await pieces.begin()
        except FileNotFoundError:
            return
        try:
            await asyncio.to_thread(packer.add, prefix, cast("IO[bytes]", pieces))
        finally:
            await pieces.aclose()


def _write_index(folder: Path, course: Course, done: Sequence[Packed]) -> None:
    entries = [
        {
            "name": one.name,
            "user": one.user,
            "home": one.home,
            "manifest": hashlib.sha256((folder / f"{one.name}{MANIFEST}").read_bytes()).hexdigest(),
        }
        for one in done
    ]
    facts = {
        "format": FORMAT,
        "course": course.name,
        "title": course.shown_title,
        "version": firstbell.__version__,
        "made": time.time(),
        "entries": entries,
    }
    archive_file.write_json(folder / INDEX, facts | {"own": _own(facts)})


def _own(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found."""

    course: str
    archives: int
    flaws: tuple[Flaw, ...]
    homes: frozenset[str] = frozenset()
    """The volumes or folders that are in it."""


def check_archive(folder: Path, show: Show) -> Checked:
    """Read every byte of an archive and compare it with what was written down. Needs neither course nor engine."""
    try:
        facts = json.loads((folder / INDEX).read_bytes())
        own = facts.pop("own")
        entries = [(str(one["name"]), str(one["manifest"]), str(one["home"])) for one in facts["entries"]]
    except FileNotFoundError:
        flaw = Flaw(
            INDEX, "is missing: it is written last, so this archive is not whole; go on with: firstbell archive"
        )
        return Checked("", 0, (flaw,))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Checked("", 0, (Flaw(INDEX, f"cannot be read: {error}"),))
    flaws = [] if own == _own(facts) else [Flaw(INDEX, "is not as it was written")]
    for number, (name, manifest, _) in enumerate(entries, 1):
        show.on_progress(Progress(f"reading {name}{TAR}", number, len(entries)))
        flaws += archive_file.check(folder, name, manifest)
    return Checked(str(facts.get("course", "")), len(entries), tuple(flaws), frozenset(home for *_, home in entries))


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
