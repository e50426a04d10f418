"""`firstbell homes`: people's files, of a course or of `firstbell run`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from firstbell.cli.common import (
    HERE,
    CourseArgument,
    DryRunOption,
    JsonOption,
    YesOption,
    asking,
    engine_of,
    load,
    names_and_course,
)
from firstbell.cli.show import Terminal, plural, size
from firstbell.config.roster import normalise_username
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import CourseFileError, FirstbellError, HomeAway, HomeMissing
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.home import Home, Transfer
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.plan.home_moves import Move
from firstbell.plan.place import Place, course_place
from firstbell.work import home_move, people, runs
from firstbell.work import homes as work
from firstbell.work.cluster import as_cluster
from firstbell.work.roster_file import roster_of

app = typer.Typer(
    help="People's files: list, export, import, copy, delete. Of a course they are named by USER, of firstbell run by "
    "run:NAME.",
    no_args_is_help=True,
)

T = TypeVar("T")

_RUN = "run:"

User = Annotated[str, typer.Argument(metavar="USER|run:NAME", help="Whose home.")]
StopOption = Annotated[bool, typer.Option("--stop", help="Stop the server that runs on it first.")]


@app.command("list")
def list_(
    course: CourseArgument = HERE,
    of_runs: Annotated[bool, typer.Option("--runs", help="Those of firstbell run, rather than of a course.")] = False,
    json: JsonOption = False,
) -> None:
    """Show every home, its size, and whether its person is in."""
    terminal = Terminal(json=json)
    found = asyncio.run(_list(None if of_runs else load(course)))
    if json:
        terminal.data([asdict(home) for home in found])
        return
    mark = _RUN if of_runs else ""
    rows = [
        (
            f"{mark}{h.user}" if h.user else "(unknown)",
            "away" if h.is_away else size(h.size),
            "running" if h.in_use else "",
            h.name,
            h.node,
        )
        for h in found
    ]
    columns = ("home" if of_runs else "user", "size", "server", "kept as", "node")
    end = None if any(h.node for h in found) else -1
    terminal.table(columns[:end], [row[:end] for row in rows])
    if away := sorted({h.node for h in found if h.is_away}):
        terminal.note(f"{', '.join(away)} cannot be reached: those homes wait there. See: firstbell nodes list")
    terminal.say(plural(len(found), "home") + (f", {size(sum(h.size for h in found))}" if found else ""), style="dim")


async def _list(course: Course | None) -> tuple[Home, ...]:
    async with engine_of(course) as engine:
        if course is None:
            return await work.list_run_homes(engine)
        return await work.list_homes(engine, course, [person.username for person in roster_of(course).people])


@app.command("export")
def export(
    user: User,
    course: CourseArgument = HERE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The tar to write; USER.tar if it is not named.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a home into a tar that only you may read."""
    read = _course_of(course, user)
    target = out or Path(f"{names.slug(user.removeprefix(_RUN)) or 'home'}.tar")
    if target.exists() and not force:
        raise CourseFileError(
            "the file is there already", where=str(target), next_step="Name another with --out, or add --force."
        )

    async def act() -> Transfer:
        async with engine_of(read) as engine:
            return await work.export_home(engine, await _place(engine, read, user), target)

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
    """Unpack a tar into a home; files of the same name are replaced, others stay."""
    read = _course_of(course, user)
    if not archive.is_file():
        raise CourseFileError(
            "there is no such file", where=str(archive), next_step=f"Name a tar: firstbell homes import {user} TAR"
        )

    async def act() -> tuple[Place, Transfer]:
        async with engine_of(read) as engine:
            place = await _place(engine, read, user, may_be_new=True)
            await _stop(engine, read, place, stop=stop)
            return place, await work.import_home(engine, place, archive)

    place, made = _told(act, user)
    Terminal().say(f"Unpacked {plural(made.files, 'file')}, {size(made.size)}, into {place.words}.")


@app.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The home to copy: USER or run:NAME.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: USER or run:NAME; made if there is none.")],
    course: CourseArgument = HERE,
    stop: StopOption = False,
    yes: YesOption = False,
) -> None:
    """Copy a home into another one; asks if that has files already. Each file is compared afterwards."""
    read = _course_of(course, source, target)
    terminal = Terminal()

    async def act() -> tuple[Place, Place, Transfer]:
        async with engine_of(read) as engine:
            begin, end = await _place(engine, read, source), await _place(engine, read, target, may_be_new=True)
            if begin.name == end.name:
                raise CourseFileError("a home cannot be copied into itself", next_step="Name another one.")
            if not yes and await work.has_home(engine, end):
                terminal.ask(
                    f"There is {end.words} already. Replace those of its files that have the same name?", "Add --yes."
                )
            await _stop(engine, read, end, stop=stop)
            return begin, end, await work.copy_home(engine, begin, end)

    begin, end, made = _told(act, target)
    terminal.say(f"Copied {plural(made.files, 'file')}, {size(made.size)}, from {begin.words} into {end.words}.")


@app.command("move")
def move(
    words: Annotated[
        list[str], typer.Argument(metavar="USER NODE [COURSE]", help="Whose home, and where to; with --all: where to.")
    ] = [],  # noqa: B006 - typer reads it once
    everybody: Annotated[
        str, typer.Option("--all", metavar="FROM", help="All homes of that node; without NODE, spread over the others.")
    ] = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Move homes to another node of a cluster: copied, compared, and only then removed from the old one.

    Idle servers are stopped; where somebody is at work it asks. Killed at any time, run it again.
    """
    given, path = names_and_course(words, None)
    if len(given) != 2 and not (everybody and len(given) < 2):
        raise typer.BadParameter("name whose home and the node: homes move USER NODE; or --all FROM [NODE]")
    terminal = Terminal(json=json)
    asyncio.run(_move(load(path), given, everybody, terminal, dry_run=dry_run, yes=yes))


async def _move(
    course: Course, given: list[str], everybody: str, terminal: Terminal, *, dry_run: bool, yes: bool
) -> None:
    if course.engine.kind != "swarm":
        raise CourseFileError(
            "this course runs on one machine", where="[engine] kind", next_step="Homes move only on a Swarm."
        )
    async with engine_of(course) as engine:
        cluster = as_cluster(engine)
        if everybody:
            moves = await home_move.plan_moves(cluster, course, everybody, given[0] if given else "")
        else:
            moves = await home_move.plan_move(cluster, course, *given)
        if dry_run or not moves:
            terminal.data([asdict(m) for m in moves]) if terminal.is_json else show_moves(terminal, moves)
            return
        if busy := [m.user for m in moves if m.is_busy]:
            asking(terminal, yes=yes)(
                f"{', '.join(busy)} {'is' if len(busy) == 1 else 'are'} at work now, and would be interrupted. Go on?",
                "Add --yes.",
            )
        for each in moves:
            await _move_one(cluster, course, each, terminal)
    if terminal.is_json:
        terminal.data([asdict(m) for m in moves])


async def _move_one(cluster: Cluster, course: Course, each: Move, terminal: Terminal) -> None:
    made = await home_move.move_home(cluster, course, each)
    terminal.note(f"Moved {plural(made.files, 'file')}, {size(made.size)}, of {each.user} to {each.target}.")


def show_moves(terminal: Terminal, moves: Sequence[Move]) -> None:
    """What would be moved, for --dry-run."""
    for each in moves:
        terminal.say(f"would {each}")
    terminal.note(f"{plural(len(moves), 'home')}; nothing was done." if moves else "Nothing to move.")


@app.command("delete")
def delete(
    user: User,
    course: CourseArgument = HERE,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="USER", help="The name once more, for use in a script.")
    ] = "",
    stop: StopOption = False,
) -> None:
    """Delete a home and all in it, for good; asks for its name."""
    read = _course_of(course, user)
    terminal = Terminal()
    if confirm != user:
        of = f"of {user} in {read.name}" if read else f"of {user}"
        terminal.ask_for_word(
            f"This deletes all files {of} for good. Type {'its name' if read is None else 'the user name'} to go on:",
            user,
            f"In a script: --confirm {user}",
        )
    was_there = _told(lambda: _delete(read, user, stop=stop), user)
    terminal.say(f"Deleted the home of {user}." if was_there else f"The home of {user} was gone; {user} begins anew.")


async def _delete(course: Course | None, user: str, *, stop: bool) -> bool:
    """Delete, and tell the hub: it takes a home that has gone by itself for a fault, and starts nobody without.

    Whether there was one. Raises HomeMissing where none was and the hub expects none.
    """
    async with engine_of(course) as engine:
        place = await _place(engine, course, user, is_exact=True)
        await _stop(engine, course, place, stop=stop)
        hub = names.container(place.course, Role.HUB)
        hub_runs = course is not None and (await engine.state(hub)).phase is Phase.RUNNING
        try:
            await work.delete_home(engine, place)
        except HomeAway:
            raise  # it is there, on a machine that comes back
        except HomeMissing:
            if course and hub_runs and await people.forget_home(engine, course, user):
                return False
            raise
        if course and hub_runs:
            await people.forget_home(engine, course, user)
        return True


def _course_of(path: Path, *users: str) -> Course | None:
    """The course, which is not looked for where only homes of runs are named."""
    return None if all(user.startswith(_RUN) for user in users) else load(path)


async def _place(
    engine: Engine, course: Course | None, user: str, *, may_be_new: bool = False, is_exact: bool = False
) -> Place:
    """The home that a word on the command line means. `is_exact` takes no mere beginning of a name."""
    if course is None or user.startswith(_RUN):
        place = await work.find_run_home(engine, user.removeprefix(_RUN), may_be_new=may_be_new)
        if is_exact and place.user != user.removeprefix(_RUN):
            raise HomeMissing(
                f"no run has a home {user.removeprefix(_RUN)}", next_step=f"Do you mean {_RUN}{place.user}?"
            )
        return place
    person = roster_of(course).person(normalise_username(user))
    return course_place(course, user, (person.uid, person.gid) if person else (None, None))


async def _stop(engine: Engine, course: Course | None, place: Place, *, stop: bool) -> None:
    """Stop what runs on the home, if that is wished."""
    if not stop:
        return
    if course is not None and place.course == course.name:
        await people.stop_servers(engine, course, [place.user])
        return
    for state in place.used_by(await engine.observe(place.course)):
        await runs.stop_run(engine, state.user)


def _told(act: Callable[[], Coroutine[None, None, T]], user: str) -> T:
    """Run it; where a running server hinders, name the option that stops it."""
    try:
        return asyncio.run(act())
    except FirstbellError as error:
        if "is running on this home" in error.what:
            error.next_step = f"Add --stop to stop the server of {user.removeprefix(_RUN)} first."
        raise


def _unwritable(error: OSError, target: Path) -> CourseFileError:
    return CourseFileError(
        f"the file cannot be written: {(error.strerror or str(error)).lower()}",
        where=str(target),
        next_step="Name another with --out.",
    )
