"""`firstbell export compose`: a course for people who run everything by Docker Compose."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

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
    show_plan,
)
from firstbell.cli.show import Terminal
from firstbell.work.export_compose import ComposeFolder, Wanted, plan_compose
from firstbell.work.export_compose import export_compose as work
from firstbell.work.machine import Ask, ensure_engine
from firstbell.work.roster_file import read_filled_roster

RegistryOption = Annotated[
    str,
    typer.Option(
        "--push",
        metavar="REGISTRY/PATH",
        help="Push the images there, and let the other machine pull them: registry.example.org/lab.",
    ),
]


def export_compose(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write; NAME-compose if it is not named.")
    ] = None,
    push: RegistryOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Write a folder from which plain `docker compose up` runs the course."""
    terminal = Terminal(json=json)
    read = load(course, complete=True)
    if read.access.login == "roster":
        read_filled_roster(read)
    wanted = Wanted(read, output or Path(f"{read.name}-compose"), push)
    if dry_run:
        show_plan(terminal, asyncio.run(_plan(wanted)).steps)
        return
    _tell(terminal, wanted, asyncio.run(_export(terminal, wanted, asking(terminal, yes=yes), replace=yes)))


async def _plan(wanted: Wanted) -> ComposeFolder:
    async with engine_of(wanted.course) as engine:
        return await plan_compose(engine, wanted)


async def _export(terminal: Terminal, wanted: Wanted, ask: Ask, *, replace: bool) -> ComposeFolder:
    with terminal.steps() as show:
        await ensure_engine(wanted.course.engine.host, ask=ask, report=show.on_progress)
        async with engine_of(wanted.course) as engine:
            return await work(engine, wanted, show, replace=replace)


def _tell(terminal: Terminal, wanted: Wanted, folder: ComposeFolder) -> None:
    if terminal.is_json:
        images = list(folder.images.values())
        terminal.data({"folder": str(wanted.target), "files": list(folder.files), "images": images})
        return
    terminal.say(f"Wrote {wanted.target}.", style="green")
    terminal.say(f"There: cd {wanted.target.name} && docker compose up -d --wait", style="bold")
    terminal.note("Its .env holds the secrets, and what that machine decides: look at it first.")
    if not wanted.registry:
        named = " ".join(folder.images)
        terminal.note(f"The images must be there: docker save {named} | gzip > images.tar.gz, or --push.")
