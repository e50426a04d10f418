"""`firstbell people export` and `erase` at work: all that is kept of one person, given out or taken out."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import firstbell
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, FirstbellError, HomeMissing, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import COURSEWORK_DIR
from firstbell.plan.place import course_place
from firstbell.work.homes import delete_home, export_home, has_home
from firstbell.work.people import control, push_roster
from firstbell.work.person_zip import PersonZip
from firstbell.work.roster_file import read_roster, remove_people

PROGRAM = "person_control"
Say = Callable[[str], None]
"""Is told what is being done."""
_README = """All that the course {course} keeps of {user}, as of {made} (UTC).

manifest.json     every file of this archive with its size and SHA-256
account.json      who they are to the course: roster, seat, role, last login; passwords are kept as hashes, not here
home.tar          their files
record.json       logins, starts and ends of servers, what staff did for them; in the order of time
messages.json     what they were told, and told others
coursework.json   assignments: what was done when, hand-ins with their receipts, extensions, points, comments
coursework/       the files of their hand-ins, graded notebooks and feedback

Times are Unix seconds or UTC. Not in it: lines of programs' logs, which are kept for some days, backups, which are
copies of the same, and what belongs to others.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    path: str
    files: int
    size: int
    """Bytes of the files; the archive is smaller."""
    has_home: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of somebody is kept."""

    user: str
    name: str
    email: str
    is_listed: bool
    is_running: bool
    has_home: bool
    entries: int
    """Of the record."""
    messages: int
    coursework: dict[str, int]


async def count(engine: Engine, course: Course, user: str) -> Kept:
    """How much is kept. Raises CourseFileError where nothing is, or for whom the course file names."""
    told = await control(engine, course, "count", user, program=PROGRAM)
    home = told["has_home"] or await has_home(engine, course_place(course, user))
    if not (told["is_known"] or home):
        raise _nobody(user)
    if told["is_named"]:
        raise CourseFileError(
            f"{user} is named in the course file",
            where="[access] staff or allow",
            next_step="Take the name out of the course file, then: firstbell up",
        )
    row = told["account"] or {}
    return Kept(
        user,
        row.get("name", ""),
        row.get("email", ""),
        told["is_listed"],
        bool(row.get("running")),
        home,
        told["entries"],
        told["messages"],
        told["coursework"],
    )


async def export(engine: Engine, course: Course, user: str, target: Path, say: Say) -> Exported:
    """Write all of it into a zip: a whole one or none. Raises FirstbellError, OSError.

    A running server does not hinder; what it writes meanwhile may be in it or not.
    """
    known = await control(engine, course, "count", user, program=PROGRAM)
    place = course_place(course, user)
    home = known["has_home"] or await has_home(engine, place)
    if not (known["is_known"] or home):
        raise _nobody(user)
    told = await control(engine, course, "kept", user, program=PROGRAM)
    result = "failed"
    try:
        exported = await _written(engine, course, user, told, target, say, home=home)
        result = "done"
    except Exception as error:
        result = f"failed: {error}"[:300]
        raise
    finally:
        await control(engine, course, "export-ended", str(told["entry"]), result, program=PROGRAM)
    return exported


async def _written(  # noqa: PLR0917 - one turn, cut out of `export`
    engine: Engine, course: Course, user: str, told: dict[str, Any], target: Path, say: Say, *, home: bool
) -> Exported:
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with tempfile.TemporaryDirectory(prefix=".firstbell-export-", dir=target.absolute().parent) as folder:
        partial = Path(folder) / "export.zip"
        archive = PersonZip(partial)
        try:
            archive.add("README.txt", _README.format(course=course.name, user=user, made=made))
            for name in ("account", "record", "messages", "coursework"):
                archive.add_json(f"{name}.json", told[name])
            has = home and await _add_home(engine, course, user, archive, Path(folder), say)
            for below in told["folders"]:
                say(f"reading {below}")
                await _add_folder(engine, course, below, archive, Path(folder))
            about = {"course": course.name, "user": user, "made": made, "firstbell": firstbell.__version__}
            await asyncio.to_thread(archive.close, about)
        finally:
            archive.drop()
        partial.replace(target)
    return Exported(str(target), len(archive.entries), sum(e.size for e in archive.entries), has)


async def _add_home(  # noqa: PLR0917 - as above
    engine: Engine, course: Course, user: str, archive: PersonZip, folder: Path, say: Say
) -> bool:
    """Whether there was one."""
    tar = folder / "home.tar"
    say("reading the home")
    try:
        await export_home(engine, course_place(course, user), tar)
    except HomeMissing:
        return False
    with tar.open("rb") as file:
        await asyncio.to_thread(archive.add_file, "home.tar", file)
    tar.unlink()
    return True


async def _add_folder(engine: Engine, course: Course, below: str, archive: PersonZip, folder: Path) -> None:
    """A folder of the coursework's volume, as the hub has it."""
    tar = folder / "folder.tar"
    with tar.open("wb") as file:
        async for chunk in engine.get(names.container(course.name, Role.HUB), f"{COURSEWORK_DIR}/{below}"):
            await asyncio.to_thread(file.write, chunk)
    await asyncio.to_thread(archive.add_tar, f"coursework/{below}", tar)
    tar.unlink()


async def erase(engine: Engine, course: Course, kept: Kept, also: Sequence[str], say: Say) -> dict[str, Any]:
    """Take all of it out; what the record had. Killed anywhere, the next call goes on. Raises FirstbellError."""
    if kept.is_listed:
        say("taking them off the roster")
        listed = {person.username for person in read_roster(course).people}
        roster = remove_people(course, [kept.user]) if kept.user in listed else read_roster(course)
        if why := await push_roster(engine, course, roster):
            raise StartFailed(
                f"the hub was not told: {why}", next_step=f"Then again: firstbell people erase {kept.user}"
            )
    say("ending their sessions and their server")
    await control(engine, course, "remove", kept.user, program=PROGRAM)
    place = course_place(course, kept.user)
    if await has_home(engine, place):
        say("deleting the home")
        await delete_home(engine, place)
    say("erasing coursework, messages, and the name in the record")
    names_of = [name for name in (kept.name, kept.email, *also) if name.strip()]
    told: dict[str, Any] = await control(engine, course, "erase", kept.user, *names_of, program=PROGRAM)
    return dict(told["record"])


def _nobody(user: str) -> FirstbellError:
    return CourseFileError(f"nothing is kept of {user}", next_step="See who is there: firstbell people list")
