"""`firstbell lock`: exact versions, by which a folder builds the same again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import HERE, DryRunOption, JsonOption, engine_of
from firstbell.cli.show import Terminal, plural
from firstbell.errors import CourseFileError
from firstbell.work.lock_versions import Lock, look, write_locks
from firstbell.work.project import Project, open_project

_SHOWN = 20
"""Changed packages that are listed; of a first lock none are."""


def lock(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The project's folder, or that of a course.", show_default=".")
    ] = HERE,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions that fit.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the locks fit; exit code 2 if not.")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Write exact versions of all packages into lock files beside requirements.txt and its like."""
    terminal = Terminal(json=json)
    project = open_project(directory, os.environ)
    if check or dry_run:
        _, locks = look(project, upgrade=upgrade and not check)
        _show_due(terminal, locks)
        if check and any(lock.is_due for lock in locks):
            raise _stale(project, locks)
        return
    locks = asyncio.run(_write(terminal, project, upgrade=upgrade))
    if json:
        _show_json(terminal, locks)
        return
    for one in locks:
        _show_written(terminal, one)


async def _write(terminal: Terminal, project: Project, *, upgrade: bool) -> tuple[Lock, ...]:
    with terminal.steps() as show:
        async with engine_of(project.course) as engine:
            return await write_locks(engine, project, show, upgrade=upgrade)


def _show_due(terminal: Terminal, locks: Sequence[Lock]) -> None:
    if terminal.is_json:
        _show_json(terminal, locks)
        return
    for one in locks:
        terminal.say(f"would write {one.file} ({one.state})" if one.is_due else f"{one.file} is up to date")


def _show_written(terminal: Terminal, written: Lock) -> None:
    packages = plural(written.packages, "package")
    if not written.is_due:
        terminal.say(f"{written.file}: up to date, {packages}.", style="green")
        return
    terminal.say(f"{written.file}: {packages} from {', '.join(written.inputs)}.", style="green")
    if written.state == "missing":
        return
    for change in written.changes[:_SHOWN]:
        terminal.say(f"  {change}")
    if len(written.changes) > _SHOWN:
        terminal.say(f"  and {len(written.changes) - _SHOWN} more", style="dim")
    if not written.changes:
        terminal.say("  the same versions as before", style="dim")


def _show_json(terminal: Terminal, locks: Sequence[Lock]) -> None:
    terminal.data(
        [
            {
                "file": one.file,
                "inputs": list(one.inputs),
                "state": one.state,
                "due": one.is_due,
                "packages": one.packages,
                "changes": [
                    {"package": change.name, "before": change.before, "after": change.after} for change in one.changes
                ],
            }
            for one in locks
        ]
    )


def _stale(project: Project, locks: Sequence[Lock]) -> CourseFileError:
    due = ", ".join(f"{one.file} is {one.state}" for one in locks if one.is_due)
    return CourseFileError(due, where=str(project.directory), next_step="firstbell lock")
