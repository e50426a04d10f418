"""What is wrong with an instructor's notebook, in words, before nbgrader makes a student version of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 3
"""The version of nbgrader's cell metadata; `nbgrader.nbgraderformat.v3`."""
_ID = re.compile(r"[A-Za-z0-9_-]+")
LANGUAGES = frozenset({"python", "R", "matlab", "octave", "sas", "java"})
"""For which nbgrader knows what to put in a solution's place; `nbgrader.preprocessors.ClearSolutions.code_stub`."""


@dataclass(frozen=True)
class Marks:
    """The words that begin and end a region; nbgrader_config.py may have others than nbgrader's own."""

    solution: tuple[str, str] = ("BEGIN SOLUTION", "END SOLUTION")
    hidden_tests: tuple[str, str] = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
    mark_scheme: tuple[str, str] = ("BEGIN MARK SCHEME", "END MARK SCHEME")
    autotest: str = "AUTOTEST"


def source_problems(notebook: Mapping[str, Any], marks: Marks, languages: frozenset[str] = LANGUAGES) -> list[str]:
    """Each as a sentence that names the cell, counted from 1 as people count them; none if the notebook is whole."""
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        return ["this is no notebook of format 4: it has no list of cells"]
    problems = [*_language(notebook, languages)]
    seen: dict[str, int] = {}
    for number, cell in enumerate(cells, 1):
        problems += [f"cell {number}{_named(cell)}: {problem}" for problem in _cell(cell, marks)]
        name = _grade_id(cell)
        if name and name in seen:
            problems.append(f'cells {seen[name]} and {number} have the same grade id "{name}": each needs its own')
        elif name:
            seen[name] = number
    return problems


def _language(notebook: Mapping[str, Any], languages: frozenset[str]) -> Iterator[str]:
    language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language not in languages:
        yield (
            f'nbgrader does not know what to put in place of a solution in "{language}": '
            f'say it in nbgrader_config.py as c.ClearSolutions.code_stub = {{"{language}": "…"}}'
        )


def mark_of(cell: Any) -> Mapping[str, Any]:
    """A cell's nbgrader metadata if it has a part in the grading, else nothing."""
    found = cell.get("metadata", {}).get("nbgrader") if isinstance(cell, dict) else None
    if not isinstance(found, dict) or not any(found.get(key) for key in ("grade", "solution", "locked", "task")):
        return {}
    return found


def _grade_id(cell: Any) -> str:
    name = mark_of(cell).get("grade_id")
    return name if isinstance(name, str) else ""


def _named(cell: Any) -> str:
    return f' ("{_grade_id(cell)}")' if _grade_id(cell) else ""


def _cell(cell: Any, marks: Marks) -> Iterator[str]:
    source = cell.get("source", "")
    text = "".join(source) if isinstance(source, list) else str(source)
    mark = mark_of(cell)
    yield from _metadata(mark, cell.get("cell_type", ""))
    for what, pair, allowed, where in (
        ("solution", marks.solution, mark.get("solution"), "a cell marked as a solution"),
        ("hidden test", marks.hidden_tests, mark.get("grade"), "a cell of autograder tests"),
        ("mark scheme", marks.mark_scheme, mark.get("task") or mark.get("grade"), "a task or a manually graded cell"),
    ):
        problems = [*_regions(text, what, pair)]
        yield from problems
        if not problems and pair[0] in text and not allowed:
            yield f'"{pair[0]}" belongs into {where}: choose that for the cell in "Create assignment"'
    if cell.get("cell_type") == "code" and any(
        marks.autotest in line and line.lstrip().startswith("#") for line in text.splitlines()
    ):
        yield (
            f'"{marks.autotest}" needs a kernel while the student version is made, and there is none: '
            "`nbgrader generate_source_with_tests` writes the tests out"
        )


def _metadata(mark: Mapping[str, Any], cell_type: str) -> Iterator[str]:
    if not mark:
        return
    version = mark.get("schema_version", 0)
    if version != SCHEMA:
        yield f"its nbgrader metadata has version {version}, not {SCHEMA}: `nbgrader update` brings it up to date"
    name = mark.get("grade_id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        yield f'"{name or ""}" is no grade id: letters, digits, hyphens and underscores'
    if mark.get("grade") or mark.get("task"):
        points = mark.get("points")
        if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < float("inf"):
            yield "it has no points, or no number of them"
    if mark.get("task"):
        if cell_type != "markdown":
            yield "a task is a Markdown cell"
    elif cell_type == "markdown" and bool(mark.get("grade")) != bool(mark.get("solution")):
        yield "a Markdown cell that is graded by hand is both graded and a solution"


def _regions(text: str, what: str, pair: tuple[str, str]) -> Iterator[str]:
    begin, end = pair
    opened = 0
    for line_number, line in enumerate(text.splitlines(), 1):
        if begin in line:
            if opened:
                yield f"a {what} begins in line {line_number}, within the one that begins in line {opened}"
                return
            opened = line_number
        elif end in line:
            if not opened:
                yield f'line {line_number} says "{end}", but no {what} has begun'
                return
            opened = 0
    if opened:
        yield f'the {what} that begins in line {opened} is not closed: "{end}" is missing'
