"""`firstbell build`: from a folder to an image."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from firstbell.cli.common import HERE, DryRunOption, JsonOption, YesOption, asking, engine_of
from firstbell.cli.show import Terminal, plural, size
from firstbell.model.image import Layer
from firstbell.model.registry import parse_reference
from firstbell.plan.layers import short
from firstbell.work import build_project as work
from firstbell.work.machine import Ask, ensure_engine
from firstbell.work.project import Project, open_project

_WORTH_TELLING = 0.5
"""Seconds from which on an instruction that added nothing is in the table."""

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder, or a course whose project it is.", show_default=".")
]
BaseOption = Annotated[str, typer.Option("--base", metavar="IMAGE", help="Begin from this image of Debian or Ubuntu.")]
KernelOption = Annotated[
    list[str] | None, typer.Option("--kernel", metavar="NAME", help="Add this language; see `firstbell kernels`.")
]


def build(  # noqa: PLR0917 - typer makes parameters of them
    folder: FolderArgument = HERE,
    tag: Annotated[
        str, typer.Option("--tag", "-t", metavar="NAME[:TAG]", help="Give the image this name, too, to push it by.")
    ] = "",
    base: BaseOption = "",
    kernel: KernelOption = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every step anew.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Make an image of a folder: what it holds decides how. An unchanged folder is not built again."""
    terminal = Terminal(json=json)
    wish = work.Wish(str(parse_reference(tag)) if tag else "", no_cache)
    project = open_project(folder, os.environ, base=base, kernels=tuple(kernel or ()))
    if dry_run:
        _show_plan(terminal, asyncio.run(_plan(project, wish, terminal)), project)
        return
    built = asyncio.run(_build(terminal, project, wish, asking(terminal, yes=yes)))
    _show(terminal, built, wish)


async def _plan(project: Project, wish: work.Wish, terminal: Terminal) -> work.Planned:
    async with engine_of(project.course) as engine:
        return await work.plan_project(engine, project, wish, lambda line: terminal.note(line.text, style="yellow"))


async def _build(terminal: Terminal, project: Project, wish: work.Wish, ask: Ask) -> work.Built:
    with terminal.steps() as show:
        host = project.course.engine.host if project.course else ""
        await ensure_engine(host, ask=ask, report=show.on_progress)
        async with engine_of(project.course) as engine:
            return await work.build_project(engine, project, wish, show)


def _show_plan(terminal: Terminal, planned: work.Planned, project: Project) -> None:
    if terminal.is_json:
        terminal.data(
            {
                "tag": planned.tag,
                "up_to_date": planned.is_there,
                "steps": [str(step) for step in planned.steps],
                "files": planned.files,
                "bytes": planned.size,
                "largest": [{"path": entry.path, "bytes": entry.size} for entry in planned.largest],
            }
        )
        return
    for step in planned.steps:
        terminal.say(f"would {step}")
    terminal.say(f"{project.directory}: {plural(planned.files, 'file')}, {size(planned.size)}")
    terminal.table(("largest files", ""), [(entry.path, size(entry.size)) for entry in planned.largest])
    terminal.note(f"{planned.tag} is up to date." if planned.is_there else "Nothing was done.")


def _show(terminal: Terminal, built: work.Built, wish: work.Wish) -> None:
    ref = wish.tag or built.image.ref
    if terminal.is_json:
        terminal.data(
            {
                "tag": built.image.ref,
                "name": ref,
                "id": built.image.id,
                "bytes": built.image.size,
                "built": built.is_new,
                "seconds": round(built.seconds, 2),
                "layers": [asdict(layer) for layer in built.layers],
            }
        )
        return
    if built.is_new:
        terminal.table(("layer", "size", "time"), [_row(layer) for layer in built.layers if _is_worth_a_row(layer)])
    done = f"Built in {built.seconds:.0f} s" if built.is_new else "Up to date"
    terminal.say(f"{done}: {size(built.image.size)} in all.", style="green")
    terminal.say(ref, style="bold")
    terminal.note(f"Run it: firstbell run {ref}")


def _is_worth_a_row(layer: Layer) -> bool:
    return layer.size > 0 or (layer.seconds or 0) >= _WORTH_TELLING


def _row(layer: Layer) -> tuple[str | Text, str | Text, str | Text]:
    took = Text("kept", style="dim") if layer.is_cached else Text(_seconds(layer.seconds))
    return short(layer.instruction) or "the base's own file system", size(layer.size), took


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
