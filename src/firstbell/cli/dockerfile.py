"""`firstbell dockerfile`: what would be built from a folder, without building it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import HERE, JsonOption
from firstbell.cli.show import Terminal
from firstbell.model.image import BuildSpec
from firstbell.plan.image import project_build
from firstbell.work.folder import read_folder, warnings
from firstbell.work.project import open_project

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The project's folder, or that of its course.", show_default=".")
]
BaseOption = Annotated[str, typer.Option("--base", metavar="IMAGE", help="Begin with this image.", show_default=False)]
KernelOption = Annotated[
    list[str] | None, typer.Option("--kernel", metavar="NAME", help="Add a language's kernel; may be repeated.")
]


def dockerfile(
    folder: FolderArgument = HERE, base: BaseOption = "", kernel: KernelOption = None, json: JsonOption = False
) -> None:
    """Print the Dockerfile that a folder becomes: from its own, or from its lists of packages."""
    terminal = Terminal(json=json)
    project = open_project(folder, os.environ, base=base, kernels=tuple(kernel or ()))
    facts = read_folder(project.directory)
    spec = project_build(facts, project.settings)
    notes = tuple(warning.text for warning in warnings(facts, project.settings))
    if json:
        terminal.data(_data(spec, notes))
        return
    for note in notes:
        terminal.note(note, style="yellow")
    terminal.raw(spec.dockerfile)


def _data(spec: BuildSpec, notes: tuple[str, ...]) -> dict[str, object]:
    return {
        "tag": spec.tag,
        "dockerfile": spec.dockerfile,
        "directory": spec.directory,
        "prefix": spec.prefix,
        "ignore": list(spec.ignore),
        "files": [{"path": file.path, "mode": f"{file.mode:o}", "sha256": file.digest} for file in spec.files],
        "args": dict(spec.args),
        "labels": dict(spec.labels),
        "remarks": list(notes),
    }
