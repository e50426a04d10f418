"""`firstbell logs`: what a part of the course, somebody's server, or a run has printed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import engine_of, is_course, load, names_and_course
from firstbell.cli.people import CourseOption
from firstbell.cli.show import Terminal
from firstbell.engine.base import Engine
from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.plan.server import container_names
from firstbell.work import runs

_PARTS = {"hub": Role.HUB, "proxy": Role.PROXY, "edge": Role.EDGE, "guard": Role.GUARD}
_RUN = "run:"


def logs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[hub|proxy|edge|guard|USER|run:NAME] [COURSE|DIR]",
            help="Whose log; the hub's if none is named, or in a folder without a course that of its run.",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as new lines come, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, help="How many lines at most.")] = 200,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="With the time of each line.")] = False,
    course: CourseOption = None,
) -> None:
    """Show the log of a part of the course, of somebody's server, or of what `firstbell run` has started."""
    given, place = names_and_course(words or [], course)
    if len(given) > 1:
        raise typer.BadParameter(f"name one log: {', '.join(given)} are {len(given)}")
    word = given[0] if given else ""
    asyncio.run(_logs(Terminal(), word, place, tail, follow=follow, timestamps=timestamps))


async def _logs(terminal: Terminal, word: str, place: Path, tail: int, *, follow: bool, timestamps: bool) -> None:
    course = load(place) if not word.startswith(_RUN) and is_course(place) else None
    async with engine_of(course) as engine:
        name = await (_of_course(engine, course, word, place) if course else _of_run(engine, word, place))
        async for line in engine.logs(name, tail=tail, follow=follow, timestamps=timestamps):
            terminal.log_line(line)


async def _of_run(engine: Engine, word: str, place: Path) -> str:
    """The container of a run. Raises StartFailed; CourseFileError where a course's part is meant and no course is."""
    try:
        return names.run(await runs.find_run(engine, word.removeprefix(_RUN) or str(place)))
    except StartFailed:
        if not word or word in _PARTS:
            load(place)
        raise


async def _of_course(engine: Engine, course: Course, word: str, place: Path) -> str:
    """The container of a course's part or server; where that does not run, of a run of the same word or folder."""
    whose = word or "hub"
    role = _PARTS.get(whose)
    name = names.container(course.name, role) if role else container_names(course, whose)[-1]
    if (await engine.state(name)).phase is not Phase.MISSING:
        return name
    with contextlib.suppress(StartFailed):
        return names.run(await runs.find_run(engine, word or str(place)))
    what = f"the {whose} of {course.name} does not run" if role else f"{whose} has no server"
    fix = "Start the course: firstbell up" if role else "See who has one: firstbell status"
    raise StartFailed(what, where=name, next_step=fix)
