"""Makes of a submission what is executed: nbgrader's sanitised notebooks, tests restored, and the files beside them.

Reads what is hostile (a notebook is only data here, nothing of it runs) and the gradebook, and changes neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.validator import normalize
from nbgrader.api import MissingEntry
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from traitlets.config import Config

from firstbell.coursework.nbgrader.archive import TooMuch, files_below, packed
from firstbell.coursework.nbgrader.outputs import digest
from firstbell.coursework.nbgrader.place import Place, Refused, first_line
from firstbell.coursework.nbgrader.restore import restored

MOST_NOTEBOOK = 10 * 1024**2
"""Bytes of a submitted notebook; with its pictures in outputs, which are cleared, one of a course has a hundredth."""
MOST_CELLS = 2000


def prepare(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """What the hostile container is given, and what was found, in words. Raises Refused."""
    notebooks, remarks = sanitised(place, job["assignment"], job["user"])
    try:
        files = packed(files_for(place, job["assignment"], job["user"]))
    except TooMuch as error:
        raise Refused(str(error)) from error
    if (size := len(json.dumps(notebooks))) > MOST_NOTEBOOK:
        raise Refused(f"its notebooks have {size // 1024**2} MiB, and {MOST_NOTEBOOK // 1024**2} MiB are the most")
    return {
        "notebooks": notebooks,
        "digests": {name: digest(notebook) for name, notebook in notebooks.items()},
        "files": files,
        "cell_seconds": Execute(config=place.config).timeout or 0,
        "remarks": remarks,
    }


def sanitised(place: Place, assignment: str, user: str) -> tuple[dict[str, Any], list[str]]:
    """Each notebook of the assignment that was handed in, as nbgrader's first half of `autograde` makes it."""
    submitted = place.root / "submitted" / user / assignment
    notebooks, remarks, problems = {}, [], []
    for name in expected(place, assignment):
        path = submitted / f"{name}.ipynb"
        if not path.is_file() or path.is_symlink():
            remarks.append(f"{name}.ipynb is missing")
            continue
        try:
            notebook, found = _one(place, assignment, user, path)
        except Refused as refused:
            problems += [f"{name}.ipynb: {problem}" for problem in refused.problems]
        else:
            notebooks[name] = notebook
            remarks += [f"{name}.ipynb: {remark}" for remark in found]
    if problems:
        raise Refused(*problems)
    if not notebooks:
        raise Refused("there is nothing to grade", *remarks)
    return notebooks, remarks


def expected(place: Place, assignment: str) -> list[str]:
    """The names of the assignment's notebooks. Raises Refused where there is none."""
    with place.gradebook() as gradebook:
        try:
            found = [notebook.name for notebook in gradebook.find_assignment(assignment).notebooks]
        except MissingEntry:
            found = []
    if not found:
        raise Refused(f'the gradebook has no assignment "{assignment}": it has not been released')
    return sorted(found)


def files_for(place: Place, assignment: str, user: str) -> dict[str, Path]:
    """What lies beside the notebooks: the submission's own files, over which come the assignment's, as in nbgrader."""
    source = place.root / "source" / assignment
    kept = Autograde(coursedir=place.directory(assignment, user), config=place.config).exclude_overwriting
    ours = {name: path for name, path in files_below(source).items() if name not in kept.get(assignment, [])}
    theirs = files_below(place.root / "submitted" / user / assignment)
    theirs.pop("timestamp.txt", None)
    # A student's folder where the assignment has a file, and the other way round.
    clear = {name: path for name, path in theirs.items() if not any(_collides(name, other) for other in ours)}
    return clear | ours


def _collides(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _one(place: Place, assignment: str, user: str, path: Path) -> tuple[dict[str, Any], list[str]]:
    submitted = _read(path)
    released = json.loads((place.root / "release" / assignment / path.name).read_text(encoding="utf-8"))
    notebook, remarks = restored(submitted, released)
    converter = Autograde(coursedir=place.directory(assignment, user), config=place.config)
    resources = place.resources(assignment, path.stem, user)
    try:
        text, _ = exported(place, converter.sanitize_preprocessors, notebook, resources)
    except Exception as error:
        raise Refused(f"nbgrader cannot prepare it: {_bounded(error)}") from error
    prepared: dict[str, Any] = plain(json.loads(text))
    return prepared, remarks


def exported(place: Place, steps: Iterable[Any], notebook: Any, resources: dict[str, Any]) -> tuple[str, Any]:
    """A notebook after these preprocessors of nbgrader, as text."""
    config = Config(place.config)
    config.Exporter.default_preprocessors = []
    exporter = NotebookExporter(config=config)
    for step in steps:
        exporter.register_preprocessor(step)
    text, resources = exporter.from_notebook_node(nbformat.from_dict(notebook), resources=resources)
    return text, resources


def plain(notebook: dict[str, Any]) -> dict[str, Any]:
    """With each source as one text, as programs want it; files have lists of lines."""
    for cell in notebook["cells"]:
        if isinstance(cell["source"], list):
            cell["source"] = "".join(cell["source"])
    return notebook


def _read(path: Path) -> dict[str, Any]:
    """A hostile notebook as one of format 4 that is what it says. Raises Refused."""
    if path.stat().st_size > MOST_NOTEBOOK:
        size, most = path.stat().st_size // 1024**2, MOST_NOTEBOOK // 1024**2
        raise Refused(f"it has {size} MiB, and {most} MiB are the most that are graded")
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is no notebook: {_bounded(error)}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("nbformat"), int):
        raise Refused("it is no notebook: the format's number is missing")
    try:
        notebook = nbformat.convert(nbformat.from_dict(raw), 4)
        for cell in notebook["cells"]:
            # Outputs are cleared anyway; what is wrong only in them keeps nobody from being graded.
            if cell.get("cell_type") == "code":
                cell["outputs"], cell["execution_count"] = [], None
        _, notebook = normalize(notebook, strip_invalid_metadata=True)
        nbformat.validate(notebook)
    except Exception as error:
        raise Refused(f"it is no notebook: {_bounded(error)}") from error
    if len(notebook["cells"]) > MOST_CELLS:
        raise Refused(f"it has {len(notebook['cells'])} cells, and {MOST_CELLS} are the most that are graded")
    made: dict[str, Any] = json.loads(json.dumps(notebook))
    return plain(made)


def _bounded(error: BaseException) -> str:
    return first_line(error)[:300]
