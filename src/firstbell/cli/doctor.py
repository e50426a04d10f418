"""`firstbell doctor`: what stands in the way."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import JsonOption, cluster_here, engine_of
from firstbell.cli.show import Terminal, levels, plural
from firstbell.config.reader import FILE_NAME, read_course
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, EngineUnavailable, UnhealthyError
from firstbell.model.course import Course
from firstbell.plan.doctor_facts import Finding, Level
from firstbell.work.doctor import examine


def doctor(
    course: Annotated[
        Path | None,
        typer.Argument(metavar="COURSE", help="The course; without one here, only the machine is looked at."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Look at this machine or Swarm, and at what the course needs. Exit code 7 if something stands in the way."""
    terminal = Terminal(json=json)
    read, wrong = _read(course)
    found = (*wrong, *asyncio.run(_examine(read)))
    if json:
        terminal.data([asdict(finding) for finding in found])
    else:
        _show(terminal, found)
    if any(finding.level is Level.PROBLEM for finding in found):
        raise typer.Exit(UnhealthyError.exit_code)


def _read(path: Path | None) -> tuple[Course | None, tuple[Finding, ...]]:
    """The course; where its file is wrong, that is a finding, and the machine is looked at all the same."""
    if path is None and not Path(FILE_NAME).exists():
        return None, ()
    try:
        return read_course(path or Path(), os.environ), ()
    except CourseFileError as error:
        problems = error.evidence or (error.what,)
        return None, tuple(Finding(Level.PROBLEM, what, error.where, error.next_step) for what in problems)


async def _examine(course: Course | None) -> tuple[Finding, ...]:
    async with engine_of(course) as engine:
        if course is None and await _is_manager(engine):
            async with cluster_here() as cluster:
                return await examine(cluster, None)
        return await examine(engine, course)


async def _is_manager(engine: Engine) -> bool:
    """Whether this machine manages a Swarm, all of which is looked at then."""
    try:
        return (await engine.facts()).swarm_state == "active"
    except EngineUnavailable:
        return False


def _show(terminal: Terminal, found: tuple[Finding, ...]) -> None:
    for finding in found:
        terminal.finding(levels(finding.level), finding.what, finding.where, finding.remedy)
    counts = [sum(f.level is level for f in found) for level in (Level.PROBLEM, Level.WARNING)]
    said = f"{plural(counts[0], 'problem')}, {plural(counts[1], 'warning')}"
    terminal.say("")
    terminal.say(said, style="bold red" if counts[0] else "yellow" if counts[1] else "green")
