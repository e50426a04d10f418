"""`firstbell backup`: make backups, see and check them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from firstbell.backup.backups import table_of, words_of
from firstbell.backup.orders import What
from firstbell.backup.standing import Standing, runs_of
from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, engine_of
from firstbell.cli.show import Terminal, plural, size
from firstbell.cli.show_backups import Progressing, ago, lines_of, load_with_backups, moment
from firstbell.config.roster import normalise_username
from firstbell.errors import UnhealthyError
from firstbell.model.backup import Snapshot
from firstbell.model.course import Course
from firstbell.work import backups as work
from firstbell.work.backups import Done

app = typer.Typer(
    help="Backups of homes, the hub's state and coursework: make one now, see what there is, check it. What comes back "
    "is brought by firstbell restore.",
    no_args_is_help=True,
)


@app.command()
def now(course: CourseArgument = HERE, dry_run: DryRunOption = False, json: JsonOption = False) -> None:
    """Make a backup of everything now; the running hub does it, and goes on with it if this command is ended."""
    terminal, read = Terminal(json=json), load_with_backups(course)
    if dry_run:
        _say_plan(terminal, read, asyncio.run(_plan(terminal, read)))
        return
    done = asyncio.run(_order(terminal, read, What.BACKUP))
    if json:
        terminal.data(dict(done.result))
        return
    told = done.result
    if not told["done"]:
        terminal.say("Everything of this run is in the storage already.", style="green")
    else:
        terminal.say(
            f"Backed up {plural(told['homes'], 'home')} and the hub's state: {plural(told['files'], 'file')}, "
            f"{size(told['size'])}, of which {size(told['added'])} are new to the storage.",
            style="green",
        )
    if told["forgotten"]:
        terminal.note(f"{plural(told['forgotten'], 'snapshot')} had had their time and are gone.")
    if told["strange"]:
        terminal.note(f"Of nobody who is known, and not backed up: {', '.join(told['strange'])}", style="yellow")


@app.command("list")
def list_(
    course: CourseArgument = HERE,
    user: Annotated[str, typer.Option("--user", help="The backups of this person's home.")] = "",
    json: JsonOption = False,
) -> None:
    """Show the runs of which something is kept, or the backups of one person's home."""
    terminal, read = Terminal(json=json), load_with_backups(course)
    snapshots, zone = asyncio.run(_snapshots(terminal, read)), ZoneInfo(read.time_zone)
    if user:
        _list_user(terminal, snapshots, normalise_username(user), zone)
        return
    runs = runs_of(snapshots, read.name)
    if json:
        terminal.data([asdict(run) for run in runs])
        return
    if not runs:
        terminal.say("There are no backups yet. Make one: firstbell backup now")
        return
    terminal.table(
        ("time", "homes", "complete", "every file", "run"),
        [
            (
                moment(run.time, zone),
                str(run.homes),
                "yes" if run.is_complete else "no",
                "yes" if run.is_whole else "no",
                run.run,
            )
            for run in runs
        ],
    )
    terminal.note(f"Times are those of {read.time_zone}. What a run lacks is in an earlier one, or not kept any more.")


def _list_user(terminal: Terminal, snapshots: tuple[Snapshot, ...], user: str, zone: ZoneInfo) -> None:
    theirs = [one for one in reversed(snapshots) if one.subject.user == user]
    if terminal.is_json:
        terminal.data([{"time": s.time, "id": s.id, "run": s.run, "whole": s.is_whole} for s in theirs])
        return
    if not theirs:
        terminal.say(f"There is no backup of a home of {user}.")
        return
    rows = [(moment(s.time, zone), "yes" if s.is_whole else "no", s.id[:8]) for s in theirs]
    terminal.table(("time", "every file", "id"), rows)
    terminal.note(f'Bring one back: firstbell restore {user} --at "{rows[0][0]}"')


@app.command()
def check(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Read every byte in the storage and compare it: whatever has changed there is found."""
    terminal, read = Terminal(json=json), load_with_backups(course)
    done = asyncio.run(_order(terminal, read, What.CHECK))
    if json:
        terminal.data(dict(done.result))
        return
    terminal.say(f"Every byte was read and is right: {plural(done.result['snapshots'], 'snapshot')}.", style="green")


@app.command()
def status(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show how old the last good backup is, who is without one, and what was done last. Exit code 7 if it is late."""
    terminal, read = Terminal(json=json), load_with_backups(course)
    stands, stored, told = asyncio.run(_status(terminal, read))
    if json:
        terminal.data(_plain(stands) | {"stored": stored, "orders": told})
    else:
        zone = ZoneInfo(read.time_zone)
        for text, style in lines_of(stands, stored, told, table_of(read), zone):
            terminal.say(text, style=style)
    if not stands.is_well:
        last = f"the last complete one is {ago(time.time() - stands.time)} old" if stands.time else "there is none yet"
        raise UnhealthyError(
            f"the backups are late: {last}",
            where=table_of(read).to,
            next_step="Make one: firstbell backup now"
            if not told["open"]
            else "One is under way: firstbell backup now",
        )


def _plain(stands: Standing) -> dict[str, Any]:
    return asdict(stands) | {"late": [asdict(one) for one in stands.late], "well": stands.is_well}


async def _order(terminal: Terminal, course: Course, kind: What) -> Done:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine:
            return await work.order(engine, course, kind, {}, tell=show.tell, report=show.report)


async def _snapshots(terminal: Terminal, course: Course) -> tuple[Snapshot, ...]:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine, work.backups_of(engine, course, show.report) as backups:
            return await backups.snapshots(may_be_none=True)


async def _status(terminal: Terminal, course: Course) -> tuple[Standing, int, dict[str, Any]]:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine, work.backups_of(engine, course, show.report) as backups:
            stands = await work.stands(backups, time.time())
            stored = await backups.stored_bytes() if stands.snapshots else 0
            return stands, stored, await work.orders(engine, course)


async def _plan(terminal: Terminal, course: Course) -> list[str]:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine, work.backups_of(engine, course, show.report) as backups:
            return [words_of(one) for one in (*await backups.homes.subjects(), *backups.own_subjects)]


def _say_plan(terminal: Terminal, course: Course, subjects: list[str]) -> None:
    if terminal.is_json:
        terminal.data({"to": table_of(course).to, "subjects": subjects})
        return
    for one in subjects:
        terminal.say(f"would back up {one}")
    terminal.note(f"To {table_of(course).to}; nothing was done.")
