"""`firstbell archive`: everything of a course in checked files, at the end of its term."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, engine_of, load, show_plan
from firstbell.cli.show import Terminal, plural, size
from firstbell.config.reader import FILE_NAME
from firstbell.errors import CourseFileError, FirstbellError
from firstbell.model.archive import ArchiveStep
from firstbell.model.course import Course
from firstbell.model.steps import RemoveVolume
from firstbell.work import archive as work
from firstbell.work import deploy
from firstbell.work.archive import Archived
from firstbell.work.archive_index import Checked, check_archive


def archive(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to; NAME-archive if it is not named.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="DIR", help="Write nothing: read every byte of an archive and compare it."),
    ] = None,
    then_delete: Annotated[
        bool,
        typer.Option(
            "--then-delete",
            help="End the course first, and delete its homes and all else once the archive was read again and is "
            "sound; asks for the course's name.",
        ),
    ] = False,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The course's name, for --then-delete in a script.")
    ] = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Write everything of a course into checked files: one archive per person, one for the course.

    Homes, hand-ins with receipts, feedback and grades; the course file without secrets, record, grade book and
    assignments. Killed at any time, run it again: it goes on with whoever is missing.
    """
    terminal = Terminal(json=json)
    if check is not None:
        _check(terminal, check)
        return
    read = load(course)
    folder = to or Path(f"{read.name}-archive")
    planned = asyncio.run(_plan(read, folder))
    if dry_run:
        show_plan(terminal, planned)
        return
    if then_delete:
        _ask_for_deletion(terminal, read, confirm)
        _end_first(terminal, read, folder)
    done = asyncio.run(_archive(terminal, read, course, folder, then_delete))
    homes = _delete(terminal, read, folder) if then_delete else 0
    if json:
        terminal.data(asdict(done) | {"homes_deleted": homes})
        return
    resumed = f", of which {plural(done.resumed, 'archive')} stood already" if done.resumed else ""
    terminal.say(
        f"{plural(done.people, 'person', 'people')} and the course, {size(done.inside)} in {size(done.size)}{resumed}, "
        f"in {done.seconds:.0f} s: {folder}",
        style="green",
    )
    if then_delete:
        terminal.say(f"The course is gone, with {plural(homes, 'home')}.")
    else:
        terminal.say(f"Read it again, there or elsewhere: firstbell archive --check {folder}")


async def _plan(course: Course, folder: Path) -> tuple[ArchiveStep, ...]:
    async with engine_of(course) as engine:
        return await work.plan(engine, course, folder)


async def _archive(terminal: Terminal, course: Course, path: Path, folder: Path, is_ended: bool) -> Archived:
    text = (path / FILE_NAME if path.is_dir() else path).read_text(encoding="utf-8")
    since = work.ended_at(folder) if is_ended else 0.0
    with terminal.steps() as show:
        async with engine_of(course) as engine:
            return await work.archive(engine, course, text, folder, show, since=since)


def _check(terminal: Terminal, folder: Path) -> None:
    checked = _checked(terminal, folder)
    if terminal.is_json:
        terminal.data(
            {
                "course": checked.course,
                "archives": checked.archives,
                "is_sound": not checked.flaws,
                "flaws": [asdict(flaw) for flaw in checked.flaws],
            }
        )
    _refuse_flaws(checked, folder)
    if not terminal.is_json:
        terminal.say(f"All {plural(checked.archives, 'archive')} of {checked.course} are as written.", style="green")


def _checked(terminal: Terminal, folder: Path) -> Checked:
    with terminal.steps() as show:
        return check_archive(folder, show)


def _refuse_flaws(checked: Checked, folder: Path) -> None:
    if checked.flaws:
        raise FirstbellError(
            f"the archive is not sound: {plural(len(checked.flaws), 'flaw')}",
            where=str(folder),
            evidence=tuple(f"{flaw.file} {flaw.what}" for flaw in checked.flaws[:20]),
            next_step="Write it anew into another folder: firstbell archive --to DIR; nothing was deleted.",
        )


# and then delete


def _ask_for_deletion(terminal: Terminal, course: Course, confirm: str) -> None:
    if course.homes.is_shared:
        raise CourseFileError(
            f"this course keeps homes as folders of {course.homes.store}, which are never deleted from here",
            where="[homes] store",
            next_step="Run it without --then-delete, then delete the folders you no longer want.",
        )
    if confirm != course.name:
        terminal.ask_for_word(
            f"This ends {course.name} for everybody, and deletes all of it once its archive is sound. "
            "Type its name to go on:",
            course.name,
            f"In a script: --then-delete --confirm {course.name}",
        )


def _end_first(terminal: Terminal, course: Course, folder: Path) -> None:
    """Nobody may write any more once their archive is begun; when that was stands in the folder, for another run."""
    if steps := asyncio.run(_down(terminal, course, delete_homes=False)):
        terminal.note(f"{course.name} is down: {plural(steps, 'step')}.")
        work.write_ended(folder, time.time())
    elif not work.ended_at(folder):
        work.write_ended(folder, time.time())


def _delete(terminal: Terminal, course: Course, folder: Path) -> int:
    """Delete the course, if all of it is in the archive and the archive is sound; how many homes there were."""
    checked = _checked(terminal, folder)
    _refuse_flaws(checked, folder)
    homes = asyncio.run(_homes_to_delete(course))
    if missing := sorted(homes - checked.homes):
        raise FirstbellError(
            f"not in the archive: {', '.join(missing)}; nothing was deleted",
            where=str(folder),
            next_step="Write another archive: firstbell archive --to DIR --then-delete",
        )
    asyncio.run(_down(terminal, course, delete_homes=True))
    return len(homes)


async def _homes_to_delete(course: Course) -> set[str]:
    async with engine_of(course) as engine:
        steps = await deploy.plan_down(engine, course, delete_homes=True)
        return {step.name for step in steps if isinstance(step, RemoveVolume) and step.user}


async def _down(terminal: Terminal, course: Course, *, delete_homes: bool) -> int:
    with terminal.steps() as show:
        async with engine_of(course) as engine:
            return len(await deploy.down(engine, course, show, delete_homes=delete_homes))
