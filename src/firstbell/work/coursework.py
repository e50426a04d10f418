"""The coursework commands at work: bring an assignment's folder to the hub, ask, and follow what the desk does."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstbell.coursework.nbgrader_grader import NbGrader
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, EngineUnavailable, StartFailed
from firstbell.model import names
from firstbell.model.container import MIB, File
from firstbell.model.course import Course
from firstbell.model.coursework import Wish, parse_assignment
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.model.runtime import COURSEWORK_DIR, HUB_UID
from firstbell.plan.grader_image import grader_build
from firstbell.work.people import control
from firstbell.work.project import read_ca_bundle

PROGRAM = "coursework_control"
FOLDER = "assignments"
"""Beside the course file: a folder for each assignment."""
_OFFERED = f"{COURSEWORK_DIR}/.offered"
_NOT_BROUGHT = frozenset({".ipynb_checkpoints", "__pycache__", ".git", ".DS_Store"})
_MOST_FILES = 10_000
_MOST_BYTES = 256 * MIB
"""As it is put into every home; large data belongs into the image, where it is once."""
_HUB_AWAY = 60.0
"""Seconds for which a hub may be away while it is waited for."""
_STANDSTILL = 300.0
"""Seconds without anything new after which nobody waits any longer; grading one notebook takes less."""


@dataclass(frozen=True, slots=True)
class Brought:
    """An assignment's folder, read."""

    name: str
    folder: Path
    files: tuple[tuple[str, bytes], ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(content) for _, content in self.files)


def read_assignment(course_folder: Path, name: str) -> Brought:
    """The files of an assignment of the course's folder. Raises CourseFileError."""
    try:
        parse_assignment(name)
    except ValueError as error:
        raise CourseFileError(str(error)) from None
    folder = course_folder / FOLDER / name
    if not folder.is_dir():
        there = sorted(p.name for p in (course_folder / FOLDER).glob("*") if p.is_dir())
        raise CourseFileError(
            f"there is no assignment {name}",
            where=str(folder),
            next_step=f"Make the folder, or name one of {', '.join(there)}." if there else "Make the folder.",
        )
    files: list[tuple[str, bytes]] = []
    size = 0
    for path in _below(folder):
        files.append((path.relative_to(folder).as_posix(), path.read_bytes()))
        size += len(files[-1][1])
        if size > _MOST_BYTES or len(files) > _MOST_FILES:
            raise CourseFileError(
                f"{name} is more than {_MOST_BYTES // MIB} MiB or {_MOST_FILES} files, for every home",
                where=str(folder),
                next_step="Put large data into the course's project, where all servers have it.",
            )
    if not files:
        raise CourseFileError(f"the assignment {name} holds no files", where=str(folder))
    return Brought(name, folder, tuple(files))


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, found in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in _NOT_BROUGHT)
        for one in sorted(found):
            path = Path(parent, one)
            if path.is_symlink() or not path.is_file():
                raise CourseFileError(
                    f"{one} is no plain file", where=str(path), next_step="Put the file itself in its place."
                )
            if one not in _NOT_BROUGHT:
                yield path
        if linked := [one for one in folders if Path(parent, one).is_symlink()]:
            raise CourseFileError(
                f"{linked[0]} is a link", where=str(Path(parent, linked[0])), next_step="Put the folder in its place."
            )


async def bring(engine: Engine, course: Course, brought: Brought) -> None:
    """Make it the assignment's source in the running hub. Raises StartFailed, CourseFileError."""
    hub = names.container(course.name, Role.HUB)
    if (await engine.state(hub)).phase is not Phase.RUNNING:
        raise StartFailed("the course does not run", where=hub, next_step="Start it: firstbell up")
    token = uuid.uuid4().hex
    await control(engine, course, "assignments", program=PROGRAM)  # says so where the hub has no coursework
    await engine.put(hub, _as_files(f"{_OFFERED}/{token}", brought))
    await control(engine, course, "source", brought.name, token, program=PROGRAM)


def _as_files(root: str, brought: Brought) -> Iterator[File]:
    folders = {parent for path, _ in brought.files for parent in Path(path).parents if parent != Path()}
    for folder in (_OFFERED, root, *(f"{root}/{folder.as_posix()}" for folder in sorted(folders))):
        yield File(folder, None, 0o700, HUB_UID, HUB_UID)
    for path, content in brought.files:
        yield File(f"{root}/{path}", content, 0o600, HUB_UID, HUB_UID)


async def act(engine: Engine, course: Course, verb: str, wish: Wish) -> dict[str, Any]:
    """Order it of the hub; what was ordered."""
    answer: dict[str, Any] = await ask(engine, course, verb, json.dumps(asdict(wish)))
    return answer


async def extend(engine: Engine, course: Course, wish: Wish, until: str) -> dict[str, Any]:
    """Another deadline for the people of the wish."""
    answer: dict[str, Any] = await ask(engine, course, "extend", json.dumps(asdict(wish)), until)
    return answer


async def ask(engine: Engine, course: Course, verb: str, *words: str) -> Any:
    """Ask the running hub."""
    return await control(engine, course, verb, *words, program=PROGRAM)


async def follow(
    engine: Engine, course: Course, order: dict[str, Any], report: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Until all is over that is not for later; `report` is told of each change. What came of it.

    Ends also where all the rest was tried more than once in vain, or nothing has changed for some minutes; the desk
    goes on.
    """
    ended, changed = -1, time.monotonic()
    while True:
        now = await _next(engine, course, order["batch"], ended)
        if now["ended"] != ended:
            ended, changed = now["ended"], time.monotonic()
            report(now)
        is_made = now["made"] or order["kind"] != "release"
        is_over = now["open"] == now["later"] + now["stuck"] and (is_made or not now["open"])
        if is_over or time.monotonic() - changed > _STANDSTILL:
            return now


async def _next(engine: Engine, course: Course, batch: str, ended: int) -> dict[str, Any]:
    """How it stands a moment later. A hub that is replaced, or was killed, has a while to come back."""
    until = time.monotonic() + _HUB_AWAY
    while True:
        try:
            now: dict[str, Any] = await ask(engine, course, "progress", batch, str(ended))
            return now
        except (EngineUnavailable, StartFailed):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(1)


async def read_grades(engine: Engine, course: Course, assignment: str = "") -> tuple[Mapping[str, Any], ...]:
    """The rows of the grade book. Raises CourseFileError, GradingFailed, StartFailed where the course has no volume."""
    if course.coursework is None:
        raise CourseFileError("the course has no coursework", next_step="Add [coursework], then: firstbell up")
    grader = NbGrader(engine, course, "", grader_build(course, read_ca_bundle(course.network)))
    return await grader.grades(assignment)
