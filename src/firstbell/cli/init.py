"""`firstbell init`: the first files of a course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import HERE, DryRunOption
from firstbell.cli.show import Terminal
from firstbell.config.reader import FILE_NAME
from firstbell.config.templates import Kind, starter_files
from firstbell.errors import CourseFileError


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if missing.", show_default=".")] = HERE,
    seminar: Annotated[
        bool, typer.Option("--seminar", help="Whoever opens the URL is in (this if none is named).")
    ] = False,
    class_: Annotated[bool, typer.Option("--class", help="The people of a list, by personal links.")] = False,
    lab: Annotated[bool, typer.Option("--lab", help="The same with more memory and time for each.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Write a short course file and a project to begin with; never overwrites anything."""
    chosen = [kind for kind, wanted in ((Kind.SEMINAR, seminar), (Kind.CLASS, class_), (Kind.LAB, lab)) if wanted]
    if len(chosen) > 1:
        raise typer.BadParameter("--seminar, --class and --lab exclude each other")
    kind = chosen[0] if chosen else Kind.SEMINAR
    terminal = Terminal()
    if (folder / FILE_NAME).exists():
        raise CourseFileError(
            "there is a course already; nothing was changed",
            where=str(folder / FILE_NAME),
            next_step=f"Start it: {_command('up', folder)}",
        )
    for name, text in starter_files(kind, folder.resolve().name).items():
        _write(terminal, folder / name, text, dry_run=dry_run)
    if not dry_run:
        if kind is not Kind.SEMINAR:
            terminal.say(f"Fill {folder / 'roster.csv'} with your people.")
        terminal.say(f"Next: {_command('up', folder)}", style="bold")


def _write(terminal: Terminal, path: Path, text: str, *, dry_run: bool) -> None:
    if path.exists():
        terminal.say(f"kept   {path}")
        return
    if not dry_run:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CourseFileError(
                f"the file cannot be written: {reason}", where=str(path), next_step="Choose another folder."
            ) from error
    terminal.say(f"{'would write' if dry_run else 'wrote'}  {path}")


def _command(verb: str, folder: Path) -> str:
    place = str(folder)
    return f"firstbell {verb}" + ("" if place == "." else f" {place}")
