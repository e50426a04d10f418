"""`firstbell people limit`: more memory for one person, until a time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from firstbell.cli.common import DryRunOption, JsonOption, engine_of, load, names_and_course
from firstbell.cli.show import Terminal
from firstbell.config.roster import normalise_username
from firstbell.coursework.times import parse_moment, shown
from firstbell.errors import CourseFileError
from firstbell.model.course import Course
from firstbell.model.fields import parse_bytes
from firstbell.plan.memory_limit import Grant
from firstbell.plan.memory_room import size_words
from firstbell.work import limits as work

Name = Annotated[list[str], typer.Argument(metavar="USERNAME [COURSE]", help="The user name, then the course.")]
CourseOption = Annotated[
    Path | None, typer.Option("--course", "-c", help="The course, where its name could be taken for a person's.")
]


def limit(  # noqa: PLR0917 - typer makes parameters of them
    names: Name,
    memory: Annotated[str, typer.Option("--memory", help='What their server may use, such as "2G".')] = "",
    until: Annotated[
        str, typer.Option("--until", help='When that ends: "18:00", "2026-11-28 18:00", "+1d"; the course\'s time.')
    ] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was given.")] = False,
    course: CourseOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Give somebody more memory until a time: at once to a server that runs (on a Swarm from its next start)."""
    [user], place = names_and_course(names, course, one="the person")
    if clear == bool(memory or until) or bool(memory) != bool(until):
        raise typer.BadParameter("say --memory and --until, or --clear alone")
    read, terminal = load(place), Terminal(json=json)
    user = normalise_username(user)
    if clear:
        _take_back(read, user, terminal, dry_run=dry_run)
        return
    grant = _wanted(read, memory, until)
    outcome = asyncio.run(_give(read, user, grant, dry_run=dry_run))
    moment = shown(grant.until, ZoneInfo(read.time_zone))
    if json:
        terminal.data({"username": user, "memory": grant.memory, "until": moment, "done": not dry_run,
                       "outcome": outcome})  # fmt: skip
    elif dry_run:
        terminal.say(f"would let {user} use {size_words(grant.memory)} until {moment}")
    else:
        terminal.say(f"{user} may use {size_words(grant.memory)} until {moment}: {outcome}.")


def _wanted(course: Course, memory: str, until: str) -> Grant:
    try:
        amount = parse_bytes(memory)
    except ValueError as error:
        raise CourseFileError(str(error), where="--memory", next_step="firstbell people limit --help") from None
    return Grant(amount, parse_moment(until, ZoneInfo(course.time_zone), time.time()))


async def _give(course: Course, user: str, grant: Grant, *, dry_run: bool) -> str:
    async with engine_of(course) as engine:
        return await work.give(engine, course, user, grant, is_trial=dry_run)


def _take_back(course: Course, user: str, terminal: Terminal, *, dry_run: bool) -> None:
    usual = size_words(course.server.memory)
    if dry_run:
        terminal.say(f"would let {user} use {usual}, as everybody")
        return

    async def act() -> str | None:
        async with engine_of(course) as engine:
            return await work.take_back(engine, course, user)

    outcome = asyncio.run(act())
    if terminal.is_json:
        terminal.data({"username": user, "memory": course.server.memory, "had": outcome is not None,
                       "outcome": outcome or ""})  # fmt: skip
    elif outcome is None:
        terminal.say(f"{user} has {usual}, as everybody; nothing was changed.")
    else:
        terminal.say(f"{user} may use {usual} again, as everybody: {outcome}.")
