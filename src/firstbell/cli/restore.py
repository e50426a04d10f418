"""`firstbell restore`: somebody's files as they were, or a whole course on an empty machine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from firstbell.backup.backups import RestoreWish, clean_path
from firstbell.backup.orders import What
from firstbell.cli.common import DryRunOption, JsonOption, engine_of, names_and_course
from firstbell.cli.show import Terminal, plural, size
from firstbell.cli.show_backups import Progressing, load_with_backups, moment
from firstbell.config.roster import normalise_username
from firstbell.coursework.times import parse_past
from firstbell.model.backup import Kind, Snapshot
from firstbell.model.course import Course
from firstbell.work import backups as work
from firstbell.work.restore_course import RestoredCourse, plan_restore, restore_course
from firstbell.work.restore_elsewhere import Taken, take_to


def restore(  # noqa: PLR0917 - typer makes parameters of them
    words: Annotated[list[str] | None, typer.Argument(metavar="[USER] [COURSE]", help="Whose files.")] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help='As they were then: "2026-11-21 14:05", "today", "3h" ago.')
    ] = "",
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="A file or folder of the home.")] = "",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Into this new folder here, rather than the home.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole course, onto a machine without it.")] = False,
    course: Annotated[Path | None, typer.Option("--course", "-c", help="The course.", show_default=".")] = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Bring files back from the backups, beside those that are there: nothing is ever overwritten."""
    users, where = names_and_course(words or [], course, one="" if everything else "a user, or --all")
    if everything and (users or path or to):
        raise typer.BadParameter("--all goes without USER, --path and --to")
    terminal, read = Terminal(json=json), load_with_backups(where)
    moment_wished = _until(at, read)
    if everything:
        _restore_all(terminal, read, moment_wished, dry_run=dry_run)
        return
    wish = RestoreWish(normalise_username(users[0]), "", moment_wished, clean_path(path))
    if dry_run:
        _say_plan(terminal, read, wish, asyncio.run(_find(terminal, read, wish)), to)
    elif to is not None:
        _say_taken(terminal, read, asyncio.run(_take(terminal, read, wish, to)), to)
    else:
        _say_restored(terminal, read, asyncio.run(_restore(terminal, read, wish)))


def _until(text: str, course: Course) -> float | None:
    """A time to the minute, or second, means all of it."""
    if not text:
        return None
    found = parse_past(text, ZoneInfo(course.time_zone), time.time())
    clock = text.strip().rpartition(" ")[2]
    return found + (59.999 if clock.count(":") == 1 else 0.999 if clock.count(":") == 2 else 0.0)


async def _find(terminal: Terminal, course: Course, wish: RestoreWish) -> Snapshot:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine, work.backups_of(engine, course, show.report) as backups:
            return await backups.find(wish)


async def _restore(terminal: Terminal, course: Course, wish: RestoreWish) -> dict[str, Any]:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine:
            async with work.backups_of(engine, course, show.report) as backups:
                snapshot = await backups.find(wish)
                in_use, label = await backups.homes.is_in_use(wish.user), backups.label(snapshot)
            plain = {"user": wish.user, "snapshot": snapshot.id, "path": wish.path, "label": label}
            done = await work.order(engine, course, What.RESTORE, plain, tell=show.tell, report=show.report)
    return {**done.result, "in_use": in_use}


async def _take(terminal: Terminal, course: Course, wish: RestoreWish, to: Path) -> Taken:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine, work.backups_of(engine, course, show.report) as backups:
            show.tell(0, 1, f"bringing back files of {wish.user}")
            return await take_to(backups, wish, to)


def _say_plan(terminal: Terminal, course: Course, wish: RestoreWish, snapshot: Snapshot, to: Path | None) -> None:
    zone = ZoneInfo(course.time_zone)
    if terminal.is_json:
        terminal.data({"user": wish.user, "path": wish.path, "snapshot": snapshot.id, "time": snapshot.time})
        return
    what = wish.path or "all files"
    place = str(to) if to else "their home, beside what is there"
    terminal.say(f"would bring {what} of {wish.user} back as of {moment(snapshot.time, zone)}, into {place}")


def _say_restored(terminal: Terminal, course: Course, done: dict[str, Any]) -> None:
    if terminal.is_json:
        terminal.data(done)
        return
    when = moment(done["time"], ZoneInfo(course.time_zone))
    terminal.say(
        f"Brought back into the home of {done['user']}: {done['place']} "
        f"({plural(done['files'], 'file')}, {size(done['size'])}), as of {when}.",
        style="green",
    )
    terminal.note("Nothing that was there was changed.")
    if done["in_use"]:
        terminal.note(f"The server of {done['user']} runs: it is in their file browser now.")


def _say_taken(terminal: Terminal, course: Course, done: Taken, to: Path) -> None:
    if terminal.is_json:
        terminal.data(asdict(done))
        return
    when = moment(done.time, ZoneInfo(course.time_zone))
    terminal.say(f"Wrote {plural(done.files, 'file')}, {size(done.size)}, as of {when}, to {to}.", style="green")
    for name in done.left_out:
        terminal.note(f"left out, as it is no plain file: {name}", style="yellow")


def _restore_all(terminal: Terminal, course: Course, at: float | None, *, dry_run: bool) -> None:
    zone = ZoneInfo(course.time_zone)
    if dry_run:
        found = asyncio.run(_plan_all(terminal, course, at))
        whose = [s.subject.user for s in (*found.snapshots, *found.earlier) if s.subject.kind is Kind.HOME]
        if terminal.is_json:
            terminal.data({"run": found.run, "time": found.time, "homes": whose})
            return
        terminal.say(f"would bring {course.name} back as of {moment(found.time, zone)}: {plural(len(whose), 'home')}")
        return
    done = asyncio.run(_bring_all(terminal, course, at))
    if terminal.is_json:
        terminal.data(asdict(done))
        return
    terminal.say(
        f"{course.name} is back as of {moment(done.time, zone)}: {plural(done.homes, 'home')}, the hub's state"
        f"{', coursework' if course.coursework else ''}. It took {done.seconds:.0f} s.",
        style="green",
    )
    if done.earlier:
        terminal.note(f"Of an earlier run, as the last one had not seen them: {', '.join(done.earlier)}")
    terminal.say("Now: firstbell up", style="bold")


async def _plan_all(terminal: Terminal, course: Course, at: float | None) -> Any:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine:
            return await plan_restore(engine, course, at, show.report)


async def _bring_all(terminal: Terminal, course: Course, at: float | None) -> RestoredCourse:
    with Progressing(terminal) as show:
        async with engine_of(course) as engine:
            return await restore_course(engine, course, at, tell=show.tell, report=show.report)
