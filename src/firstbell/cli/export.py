"""`firstbell export`: a course for machines that have no Firstbell."""

from __future__ import annotations

import asyncio
import os
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
from firstbell.cli.export_compose import export_compose
from firstbell.cli.show import Terminal, size
from firstbell.config.reader import course_file
from firstbell.model.steps import Step
from firstbell.plan.bundle import COMMAND
from firstbell.work import bundle as work
from firstbell.work.machine import Ask, ensure_engine

app = typer.Typer(
    help="A course for machines that have no Firstbell: as one archive, or for Compose.", no_args_is_help=True
)
app.command("compose")(export_compose)


@app.command("bundle")
def bundle(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The archive to write, or its folder; NAME-bundle.tar if not named."),
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Put the course's secrets in, too; keep the archive from others then.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Write one archive from which a machine without any network brings the course up.

    It holds the images, the course and a command; that machine needs the Docker Engine, and nothing else.
    """
    terminal = Terminal(json=json)
    read = load(course, complete=secrets)
    name = f"{read.name}-bundle.tar"
    target = output / name if output and output.is_dir() else output or Path(name)
    wanted = work.Wanted(read, course_file(course), target, secrets)
    if dry_run:
        show_plan(terminal, asyncio.run(_plan(terminal, wanted)))
        return
    written = asyncio.run(_export(terminal, wanted, asking(terminal, yes=yes), replace=yes))
    _tell(terminal, wanted, written)


async def _plan(terminal: Terminal, wanted: work.Wanted) -> tuple[Step, ...]:
    async with engine_of(wanted.course) as engine:
        return await work.plan_bundle(engine, wanted, lambda line: terminal.note(line.text, style="yellow"))


async def _export(terminal: Terminal, wanted: work.Wanted, ask: Ask, *, replace: bool) -> work.Written:
    with terminal.steps() as show:
        await ensure_engine(wanted.course.engine.host, ask=ask, report=show.on_progress)
        async with engine_of(wanted.course) as engine:
            return await work.export_bundle(engine, wanted, os.environ, show, replace=replace)


def _tell(terminal: Terminal, wanted: work.Wanted, written: work.Written) -> None:
    made = written.bundle
    if terminal.is_json:
        terminal.data({
            "file": str(wanted.target), "size": written.size, "architecture": made.architecture,
            "images": list(made.images), "seconds": round(written.seconds, 1), "with_secrets": made.has_secrets,
            "secret_variables": list(made.variables), "secret_files": list(made.missing_files),
        })  # fmt: skip
        return
    name = wanted.course.name
    terminal.say(f"Wrote {wanted.target}, {size(written.size)}, in {written.seconds:.0f} s.", style="green")
    terminal.say(f"There: tar -xf {wanted.target.name} && cd {name} && ./{COMMAND} up", style="bold")
    terminal.note(f"It runs on machines of {made.architecture}. People's files are not in it: firstbell homes export")
    if made.has_secrets:
        terminal.note("It holds the course's secrets: keep it from others.", style="yellow")
        return
    if made.variables:
        terminal.note(f"Secrets are not in it; there, set {', '.join(made.variables)} first.", style="yellow")
    for place in made.missing_files:
        terminal.note(f"A file with a secret is not in it; there, put it to {name}/{place} first.", style="yellow")
    for place in made.exposed_files:
        terminal.note(f"{place} holds a secret, and is part of the project: name it in .dockerignore", style="yellow")
