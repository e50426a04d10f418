"""`firstbell people export` and `erase`: what data protection asks for, for one person."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, YesOption, engine_of, load
from firstbell.cli.show import Terminal, plural, size
from firstbell.config.roster import normalise_username
from firstbell.errors import CourseFileError
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.work import person as work
from firstbell.work.person import Exported, Kept

User = Annotated[str, typer.Argument(metavar="USER", help="Whose data.")]
STAYS = (
    "their number and times in the record, without name",
    "backups, until their time is over",
    "lines of the parts' logs, until they are overwritten",
    "what others have written in files of their own, and grades that were taken elsewhere",
)


def export(
    user: User,
    course: CourseArgument = HERE,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="The zip to write; USER.zip if it is not named.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write all that is kept of somebody into one zip: home, hand-ins, grades, feedback, record, messages.

    A manifest in it has the SHA-256 of every file. That it was made is in the record.
    """
    read, name, terminal = load(course), normalise_username(user), Terminal(json=json)
    target = to or Path(f"{names.slug(name) or 'person'}.zip")
    if target.exists() and not force:
        raise CourseFileError(
            "the file is there already", where=str(target), next_step="Name another with --to, or add --force."
        )
    try:
        made = asyncio.run(_export(read, name, target, terminal))
    except OSError as error:
        what = f"the file cannot be written: {(error.strerror or str(error)).lower()}"
        raise CourseFileError(what, where=str(target), next_step="Choose another file: --to FILE") from error
    if json:
        terminal.data(asdict(made))
        return
    home = "" if made.has_home else "; there is no home"
    terminal.say(f"Wrote {plural(made.files, 'file')}, {size(made.size)}, to {target}{home}.")
    terminal.note("Only you may read it. Give it to nobody but them.", style="yellow")


async def _export(course: Course, user: str, target: Path, terminal: Terminal) -> Exported:
    async with engine_of(course) as engine:
        return await work.export(engine, course, user, target, lambda what: terminal.note(f"{user}: {what}"))


def erase(  # noqa: PLR0917 - typer makes parameters of them
    user: User,
    course: CourseArgument = HERE,
    also: Annotated[
        list[str],
        typer.Option("--also", metavar="NAME", help="Another name of theirs that words may have; repeatable."),
    ] = [],  # noqa: B006 - typer reads it once
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Erase somebody: roster, account, home, hand-ins, grades, messages, and their name in the record.

    Asks for the name. Killed anywhere, run it again.
    """
    read, name, terminal = load(course), normalise_username(user), Terminal(json=json)
    kept = asyncio.run(_count(read, name))
    goes = _goes(kept)
    if dry_run:
        _say(terminal, {"user": name, "goes": goes, "stays": list(STAYS), "erased": False})
        return
    if not yes:
        terminal.note(f"This erases {', '.join(goes)}.", style="yellow")
        terminal.note(f"It stays: {'; '.join(STAYS)}.")
        terminal.ask_for_word(
            f"There is no way back but a backup or an export. Type {name} to go on:",
            name,
            "Add --yes to erase without being asked.",
        )
    record = asyncio.run(_erase(read, kept, also, terminal))
    _say(terminal, {"user": name, "goes": goes, "stays": list(STAYS), "erased": True, "record": record})


async def _count(course: Course, user: str) -> Kept:
    async with engine_of(course) as engine:
        return await work.count(engine, course, user)


async def _erase(course: Course, kept: Kept, also: list[str], terminal: Terminal) -> dict[str, Any]:
    async with engine_of(course) as engine:
        return await work.erase(engine, course, kept, also, lambda what: terminal.note(f"{kept.user}: {what}"))


def _goes(kept: Kept) -> list[str]:
    """What an erasure takes, in words."""
    facts = [
        "their line of the roster" if kept.is_listed else "",
        "a server that runs" if kept.is_running else "",
        "account and password",
        "their home" if kept.has_home else "",
        *(f"{number} {kind}" for kind, number in kept.coursework.items() if number),
        plural(kept.messages, "message") if kept.messages else "",
        f"their name in {plural(kept.entries, 'entry', 'entries')} of the record" if kept.entries else "",
    ]
    return [fact for fact in facts if fact]


def _say(terminal: Terminal, told: dict[str, Any]) -> None:
    if terminal.is_json:
        terminal.data(told)
        return
    did = "Erased" if told["erased"] else "Would erase"
    terminal.say(f"{did}: {', '.join(told['goes'])}.")
    terminal.say(f"It stays: {'; '.join(told['stays'])}.")
    if not told["erased"]:
        terminal.note("Nothing was done.")
