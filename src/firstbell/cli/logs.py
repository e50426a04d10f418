"""`firstbell logs`: what a part of the course, or somebody's server, has printed."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from firstbell.cli.common import engine_of, load, names_and_course
from firstbell.cli.people import CourseOption
from firstbell.cli.show import Terminal
from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase

_PARTS = {"hub": Role.HUB, "proxy": Role.PROXY, "edge": Role.EDGE, "guard": Role.GUARD}


def logs(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[hub|proxy|edge|guard|USER] [COURSE]", help="Whose log; the hub's if none is named."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as new lines come, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, help="How many lines at most.")] = 200,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="With the time of each line.")] = False,
    course: CourseOption = None,
) -> None:
    """Show the log of a part of the course, or of somebody's server."""
    given, place = names_and_course(words or [], course)
    if len(given) > 1:
        raise typer.BadParameter(f"name one log: {', '.join(given)} are {len(given)}")
    read = load(place)
    asyncio.run(_logs(Terminal(), read, given[0] if given else "hub", tail, follow=follow, timestamps=timestamps))


async def _logs(terminal: Terminal, course: Course, whose: str, tail: int, *, follow: bool, timestamps: bool) -> None:
    role = _PARTS.get(whose)
    name = names.container(course.name, role) if role else names.container(course.name, Role.SERVER, whose)
    async with engine_of(course) as engine:
        if (await engine.state(name)).phase is Phase.MISSING:
            what = f"the {whose} of {course.name} does not run" if role else f"{whose} has no server"
            fix = "Start the course: firstbell up" if role else "See who has one: firstbell status"
            raise StartFailed(what, where=name, next_step=fix)
        async for line in engine.logs(name, tail=tail, follow=follow, timestamps=timestamps):
            terminal.log_line(line)
