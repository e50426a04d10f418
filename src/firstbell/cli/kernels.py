"""`firstbell kernels`: the languages that a lab can have."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from firstbell.cli.common import JsonOption
from firstbell.cli.show import Terminal, size
from firstbell.model.kernel import Kernel
from firstbell.work.kernels import all_kernels, find_kernel


def kernels(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, or the folder of a recipe of your own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the languages for `kernels` of a course: version, source, size, and how each has been verified."""
    terminal = Terminal(json=json)
    found = (find_kernel(name, Path()),) if name else all_kernels()
    if json:
        terminal.data([_plain(kernel) for kernel in found])
    elif name:
        _show_one(terminal, found[0])
    else:
        rows = [(k.name, k.title, k.version, k.source, _size(k), _verified(k)) for k in found]
        terminal.table(("name", "language", "version", "from", "size", "verified"), rows)
        terminal.say('Use them as: [server] kernels = ["python", "go"]', style="dim")


def _show_one(terminal: Terminal, kernel: Kernel) -> None:
    terminal.say(f"{kernel.title} {kernel.version}", style="bold")
    terminal.say(f"from:      {kernel.source}")
    terminal.say(f"notebooks: kernelspec {kernel.spec}")
    if kernel.apt:
        terminal.say(f"packages:  {' '.join(kernel.apt)}")
    terminal.say(f"size:      {_size(kernel) or 'not measured'}")
    terminal.say(f"verified:  {_verified(kernel)}")
    if kernel.note:
        terminal.say(kernel.note)


def _size(kernel: Kernel) -> str:
    return "in every image" if kernel.is_built_in else size(kernel.size) if kernel.size else ""


def _verified(kernel: Kernel) -> str:
    return f"built and executed, {kernel.verified}" if kernel.verified else "not verified"


def _plain(kernel: Kernel) -> dict[str, Any]:
    plain = asdict(kernel)
    del plain["files"]
    return plain
