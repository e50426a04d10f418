"""`firstbell homes`: people's files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from firstbell.cli.common import HERE, CourseArgument, JsonOption, engine_of, load
from firstbell.cli.show import Terminal, plural, size
from firstbell.config.roster import normalise_username
from firstbell.errors import CourseFileError, FirstbellError, HomeMissing
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.home import Home, Transfer
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.work import homes as work
from firstbell.work import people
from firstbell.work.roster_file import read_roster

app = typer.Typer(help="People's files: list, export, import, delete.", no_args_is_help=True)

T = TypeVar("T")

User = Annotated[str, typer.Argument(metavar="USER", help="Whose home.")]
StopOption = Annotated[bool, typer.Option("--stop", help="Stop the person's server first, if it runs.")]


@app.command("list")
def list_(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show every home, its size, and whether its person is in."""
    terminal = Terminal(json=json)
    read = load(course)
    found = asyncio.run(_list(read))
    if json:
        terminal.data([asdict(home) for home in found])
        return
    rows = [(h.user or "(unknown)", size(h.size), "running" if h.in_use else "", h.name) for h in found]
    terminal.table(("user", "size", "server", "kept as"), rows)
    terminal.say(plural(len(found), "home") + (f", {size(sum(h.size for h in found))}" if found else ""), style="dim")


async def _list(course: Course) -> tuple[Home, ...]:
    has_roster = course.access.login == "roster" and course.access.roster.exists()
    users = [p.username for p in read_roster(course).people] if has_roster else []
    async with engine_of(course) as engine:
        return await work.list_homes(engine, course, users)


@app.command("export")
def export(
    user: User,
    course: CourseArgument = HERE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The tar to write; USER.tar if it is not named.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write somebody's home into a tar that only you may read."""
    read = load(course)
    target = out or Path(f"{names.slug(user) or 'home'}.tar")
    if target.exists() and not force:
        raise CourseFileError(
            "the file is there already", where=str(target), next_step="Name another with --out, or add --force."
        )

    async def act() -> Transfer:
        async with engine_of(read) as engine:
            return await work.export_home(engine, read, user, target)

    try:
        made = asyncio.run(act())
    except OSError as error:
        raise _unwritable(error, target) from error
    Terminal().say(f"Wrote {plural(made.files, 'file')}, {size(made.size)}, to {target}.")


@app.command("import")
def import_(
    user: User,
    archive: Annotated[Path, typer.Argument(metavar="TAR", help="The tar, also compressed.")],
    course: CourseArgument = HERE,
    stop: StopOption = False,
) -> None:
    """Unpack a tar into somebody's home; files of the same name are replaced, others stay."""
    read = load(course)
    if not archive.is_file():
        raise CourseFileError(
            "there is no such file", where=str(archive), next_step=f"Name a tar: firstbell homes import {user} TAR"
        )
    has_roster = read.access.login == "roster" and read.access.roster.exists()
    person = read_roster(read).person(normalise_username(user)) if has_roster else None
    uid, gid = (person.uid, person.gid) if person else (None, None)

    async def act() -> Transfer:
        async with engine_of(read) as engine:
            if stop:
                await people.stop_servers(engine, read, [user])
            return await work.import_home(engine, read, user, archive, uid=uid, gid=gid)

    made = _told(act, user)
    Terminal().say(f"Unpacked {plural(made.files, 'file')}, {size(made.size)}, into the home of {user}.")


@app.command("delete")
def delete(
    user: User,
    course: CourseArgument = HERE,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="USER", help="The user name once more, for use in a script.")
    ] = "",
    stop: StopOption = False,
) -> None:
    """Delete somebody's home and all in it, for good; asks for the user name."""
    read = load(course)
    terminal = Terminal()
    if confirm != user:
        terminal.ask_for_word(
            f"This deletes all files of {user} in {read.name} for good. Type the user name to go on:",
            user,
            f"In a script: --confirm {user}",
        )
    was_there = _told(lambda: _delete(read, user, stop=stop), user)
    terminal.say(f"Deleted the home of {user}." if was_there else f"The home of {user} was gone; {user} begins anew.")


async def _delete(course: Course, user: str, *, stop: bool) -> bool:
    """Delete, and tell the hub: it takes a home that has gone by itself for a fault, and starts nobody without.

    Whether there was one. Raises HomeMissing where none was and the hub expects none.
    """
    async with engine_of(course) as engine:
        if stop:
            await people.stop_servers(engine, course, [user])
        hub_runs = (await engine.state(names.container(course.name, Role.HUB))).phase is Phase.RUNNING
        try:
            await work.delete_home(engine, course, user)
        except HomeMissing:
            if hub_runs and await people.forget_home(engine, course, user):
                return False
            raise
        if hub_runs:
            await people.forget_home(engine, course, user)
        return True


def _told(act: Callable[[], Coroutine[None, None, T]], user: str) -> T:
    """Run it; where a running server hinders, name the option that stops it."""
    try:
        return asyncio.run(act())
    except FirstbellError as error:
        if "is running on this home" in error.what:
            error.next_step = f"Add --stop to stop the server of {user} first."
        raise


def _unwritable(error: OSError, target: Path) -> CourseFileError:
    return CourseFileError(
        f"the file cannot be written: {(error.strerror or str(error)).lower()}",
        where=str(target),
        next_step="Name another with --out.",
    )
