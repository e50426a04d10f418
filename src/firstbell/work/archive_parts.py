"""What goes into each file of an archive: a person's, and the course's own."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from firstbell.coursework.grades import grades_csv
from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.model import names
from firstbell.model.archive import COURSE, ArchivePerson, Packed
from firstbell.model.container import VolumeSpec
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import COURSEWORK_DIR, HOME_DIR
from firstbell.plan.archive import without_secrets
from firstbell.plan.place import course_place
from firstbell.work import archive_file
from firstbell.work.archive_books import Books
from firstbell.work.archive_file import Pace, Packer, Unreadable
from firstbell.work.archive_helper import course_helper, running
from firstbell.work.archive_stream import Pieces
from firstbell.work.home_helper import waiting_helper
from firstbell.work.home_places import engine_of_home
from firstbell.work.roster_file import has_roster
from firstbell.work.show import Show

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of one archive while they are written."""

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
                async with running(self._machine, course_helper(course, self._observed)) as name:
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
        spec = waiting_helper(self._observed, place.user, (place.mount(read_only=True),))
        async with running(machine, spec) as name:
            await self._add(packer, machine, name, HOME_DIR, "home")

    async def _add_coursework(self, packer: Packer, user: str) -> None:
        async with running(self._machine, course_helper(self._course, self._observed)) as name:
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
