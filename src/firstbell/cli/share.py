"""`firstbell push`, `firstbell pull`: images to and from registries."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import DryRunOption, JsonOption, YesOption, asking, engine_of, show_plan
from firstbell.cli.show import Terminal, size
from firstbell.config.reader import network_of
from firstbell.errors import CourseFileError
from firstbell.model.course import Course
from firstbell.model.registry import Reference, parse_reference
from firstbell.model.steps import Step
from firstbell.work import share as work
from firstbell.work.machine import Ask, ensure_engine
from firstbell.work.project import Project, open_project

NameArgument = Annotated[str, typer.Argument(metavar="REGISTRY/NAME:TAG", help="The image's name in its registry.")]


def push(
    name: NameArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR|IMAGE", help="The folder to build it from, or an image of this machine.", show_default="."
        ),
    ] = ".",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Give an image to a registry: what a folder becomes (built if it has to be), or one that is here already.

    The login is the one of `docker login`. What the registry has already is not sent again.
    """
    terminal = Terminal(json=json)
    to = parse_reference(name)
    what = _source(source)
    if dry_run:
        show_plan(terminal, asyncio.run(_plan_push(terminal, what, to)))
        return
    made = asyncio.run(_push(terminal, what, to, asking(terminal, yes=yes)))
    _show_result(terminal, to, made, f"Sent {to}, {size(made.image.size)}, in {made.seconds:.0f} s.")
    if not json:
        terminal.note(f"Whoever may read it there runs it with: firstbell run {to}")


def pull(
    name: NameArgument,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Get an image, or its newest version, from a registry.

    The login is the one of `docker login`.
    """
    terminal = Terminal(json=json)
    wanted = parse_reference(name)
    if dry_run:
        show_plan(terminal, (work.pull_step(wanted),))
        return
    made = asyncio.run(_pull(terminal, wanted, asking(terminal, yes=yes)))
    _show_result(terminal, wanted, made, f"Here is {wanted}, {size(made.image.size)}, after {made.seconds:.0f} s.")
    if not json:
        terminal.note(f"Run it with: firstbell run {wanted}")


def _source(word: str) -> work.Source:
    """What is pushed: a folder where there is one, or what looks like a path; else an image."""
    path = Path(word).expanduser()
    if path.is_dir():
        return open_project(path, os.environ)
    if word.startswith((".", "/", "~")) or path.exists():
        raise CourseFileError("there is no such folder", where=word, next_step="Name a folder, or an image.")
    return str(parse_reference(word))


def _course(source: work.Source) -> Course | None:
    return source.course if isinstance(source, Project) else None


async def _plan_push(terminal: Terminal, source: work.Source, to: Reference) -> tuple[Step, ...]:
    async with engine_of(_course(source)) as engine:
        return await work.plan_push(engine, source, to, lambda line: terminal.note(line.text, style="yellow"))


async def _push(terminal: Terminal, source: work.Source, to: Reference, ask: Ask) -> work.Shared:
    course = _course(source)
    with terminal.steps() as show:
        await ensure_engine(course.engine.host if course else "", ask=ask, report=show.on_progress)
        async with engine_of(course) as engine:
            return await work.push(engine, source, to, show)


async def _pull(terminal: Terminal, wanted: Reference, ask: Ask) -> work.Shared:
    with terminal.steps() as show:
        await ensure_engine("", ask=ask, report=show.on_progress)
        async with engine_of(None) as engine:
            return await work.pull(engine, wanted, network_of(os.environ), show)


def _show_result(terminal: Terminal, name: Reference, made: work.Shared, text: str) -> None:
    if terminal.is_json:
        terminal.data(
            {
                "image": str(name),
                "digest": made.digest,
                "id": made.image.id,
                "size": made.image.size,
                "seconds": round(made.seconds, 1),
            }
        )
        return
    terminal.say(text, style="green")
    if made.digest:
        terminal.say(f"{name.name}@{made.digest}", style="bold")
