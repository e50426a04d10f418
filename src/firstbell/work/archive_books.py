"""What the databases of a course say of everybody, for its archive."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from firstbell.engine import docker_tar
from firstbell.engine.base import Engine
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import SAVED_DIR
from firstbell.plan.upgrade import saved_spec
from firstbell.work import saved
from firstbell.work.archive_helper import course_helper, running
from firstbell.work.build import plan_hub_image
from firstbell.work.coursework import read_grades

_POINT = "0-archive"
"""Under which name the databases are saved for it; there is one, renewed each time."""
_RECEIPTS = "SELECT assignment, user, kind, time, taken, by, id, receipt, files, size FROM handins ORDER BY time"


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


async def read_books(engine: Engine, course: Course, observed: Observed) -> Books:
    """The databases as they are now, and what they say."""
    if observed.volume(names.volume(course.name, Role.STATE)) is None:
        return Books()
    image = await _hub_image(engine, course, observed)
    await engine.ensure_volume(saved_spec(course))
    await saved.ask(engine, course, image, "save", _POINT, '{"kind": "archive", "version": ""}')
    wanted = {"acts.sqlite": "state", "book.sqlite": "coursework", "gradebook.db": "coursework"}
    found: dict[str, bytes] = {}
    async with running(engine, course_helper(course, observed)) as name:
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
    present = observed.container(names.container(course.name, Role.HUB)).image
    return own if await engine.image(own) else present or observed.newest_image(Role.HUB_IMAGE) or own


def _receipts(book: bytes) -> tuple[Mapping[str, Any], ...]:
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(book)
        file.flush()
        with contextlib.closing(sqlite3.connect(f"file:{file.name}?mode=ro&immutable=1", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return tuple(dict(row) for row in db.execute(_RECEIPTS))


async def _fetch(engine: Engine, name: str, path: str) -> bytes | None:
    """A file of a container, however large; None if there is none."""
    return await docker_tar.read_file(partial(engine.get, name), path, math.inf)
