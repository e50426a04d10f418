"""`firstbell activity`: who came, what ran, and what staff did."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from firstbell.cli.cells import harmless, local, one_line
from firstbell.cli.common import HERE, CourseArgument, JsonOption, engine_of, load, write_new
from firstbell.cli.show import Terminal, plural
from firstbell.config.roster import normalise_username
from firstbell.coursework.times import parse_past
from firstbell.model.course import Course
from firstbell.work import activity as work
from firstbell.work.activity import Checked, Entry

_COLUMNS = ("when", "kind", "what", "who", "whom", "words", "result")
_FOUND = 1
"""Exit code of a check that found something, as that of `grep` or `diff`."""


def activity(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    since: Annotated[
        str, typer.Option("--since", help='"2026-11-21", "2026-11-21 14:05", "today", "3h", "2d"; "all".')
    ] = "7d",
    user: Annotated[str, typer.Option("--user", help="What this person did, and what was done to them.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, oldest first, times in UTC.")] = False,
    json: JsonOption = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Write plots of use: people, hours, memory.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Look whether the whole record is as it was written.")] = False,
    head: Annotated[
        str, typer.Option("--head", metavar="NUMBER:HASH", help="With --check: what an earlier check printed.")
    ] = "",
) -> None:
    """Show logins, starts and ends of servers with their causes, and what staff did, newest first."""
    if (as_csv and (json or check)) or (head and not check) or (plot and (as_csv or json or check)):
        raise typer.BadParameter("--csv and --plot go without each other, --json and --check; --head with --check")
    if plot and plot.suffix.lower() != ".svg":
        raise typer.BadParameter(
            "--plot writes SVG: name a FILE.svg. As PNG the page of the hub gives it: /hub/activity"
        )
    read, terminal = load(course), Terminal(json=json)
    if check:
        _say_check(asyncio.run(_check(read, head)), terminal)
        return
    zone = ZoneInfo(read.time_zone)
    begin = 0.0 if since == "all" else parse_past(since, zone, time.time())
    person = normalise_username(user) if user else ""
    if plot:
        write_new(plot, asyncio.run(_plot(read, begin, person)), again="Choose another file: --plot FILE.svg")
        terminal.say(f"Wrote {plot}: {'from the beginning' if since == 'all' else f'since {since}'}.")
        return
    found = asyncio.run(_ask(read, begin, person))
    if json:
        terminal.data({"entries": [asdict(entry) for entry in found]})
    elif as_csv:
        terminal.raw(_csv(found))
    else:
        rows = [(local(e.at, zone), e.kind, e.what, e.who, e.whom, e.words, e.result) for e in found]
        terminal.table(_COLUMNS, [tuple(map(one_line, row)) for row in rows])
        days = "from the beginning" if since == "all" else f"since {since}"
        terminal.note(f"{plural(len(found), 'entry', 'entries')} {days}; times are those of {read.time_zone}.")


async def _ask(course: Course, since: float, user: str) -> tuple[Entry, ...]:
    async with engine_of(course) as engine:
        return await work.activity(engine, course, since, user)


async def _plot(course: Course, since: float, user: str) -> str:
    async with engine_of(course) as engine:
        return await work.plot(engine, course, since, user)


async def _check(course: Course, head: str) -> Checked:
    async with engine_of(course) as engine:
        return await work.check(engine, course, head)


def _say_check(found: Checked, terminal: Terminal) -> None:
    """Say what was found. Ends with exit code 1 where something was."""
    if terminal.is_json:
        terminal.data({**asdict(found), "whole": found.is_whole, "mark": found.mark})
    else:
        for line in found.found:
            terminal.say(line, style="red")
        what = "as they were written" if found.is_whole else f"{plural(found.findings, 'thing')} found"
        older = f"; those up to {found.gone} were too old to be kept" if found.gone else ""
        terminal.say(f"{plural(found.entries, 'entry', 'entries')}: {what}{older}")
        terminal.say(f"head {found.mark}")
        terminal.note("Kept elsewhere, the head also shows a record written anew: firstbell activity --check --head …")
    if not found.is_whole:
        raise typer.Exit(_FOUND)


def _csv(found: tuple[Entry, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Entry.__slots__)
    for entry in reversed(found):
        writer.writerow([harmless(str(cell)) for cell in asdict(entry).values()])
    return out.getvalue()
