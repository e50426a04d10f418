"""What a hostile container says that a notebook's cells have shown: only what an output may be is taken. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

MOST_TEXT = 256 * 1024
"""Characters of a text that is kept of an output; a page of feedback with more is not read."""
MOST_OUTPUTS = 1000
"""Outputs that are kept of a cell."""
MOST_BYTES = 16 * 1024**2
"""Characters kept of all outputs of a notebook; far more than charts need."""
_STREAMS = ("stdout", "stderr")
_MOST_WORDS = 20
_LONGEST_WORDS = 300
NOT_RUN = "NotExecuted"
TOO_MANY_POINTS = "TooManyPoints"


def digest(notebook: Mapping[str, Any]) -> str:
    """Of what is executed: type and source of every cell."""
    cells = [(cell["cell_type"], cell["source"], cell["metadata"].get("nbgrader")) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def error_output(name: str, what: str) -> dict[str, Any]:
    """An output that makes nbgrader give no points for a cell of tests."""
    return {"output_type": "error", "ename": name, "evalue": what, "traceback": [f"{name}: {what}"]}


class Unheard(Exception):
    """The container said nothing that can be graded; says why."""


def answers(said: str, ended: str) -> dict[str, tuple[Any, list[str]]]:
    """By notebook: what is said of its cells, and remarks. `ended` says how the container ended. Raises Unheard."""
    try:
        answer = json.loads(said)
        problem = answer.get("problem")
        notebooks = answer.get("notebooks", {})
        problems = [problem, *(one.get("problem") for one in notebooks.values())]
        made = {name: (one.get("cells"), _words(one.get("remarks"))) for name, one in notebooks.items()}
    except (ValueError, RecursionError, AttributeError):
        raise Unheard(f"it could not be executed: {ended or 'it has not said what came of it'}") from None
    for words in _words(problems):
        raise Unheard(f"it could not be executed: {words}")
    return made


def _words(said: Any) -> list[str]:
    """Sentences of a hostile container, bounded and of one line each."""
    kept = [one for one in _list(said)[:_MOST_WORDS] if isinstance(one, str) and one]
    return ["".join(char if char.isprintable() else " " for char in one)[:_LONGEST_WORDS] for one in kept]


def merged(notebook: dict[str, Any], said: Any) -> list[str]:
    """Give each code cell of the prepared notebook its outputs; what was left out or not executed, in words.

    nbgrader gives a cell of tests without any output all its points. So a cell that nothing was said of gets an error.
    """
    answers = said if isinstance(said, list) else []
    remarks: list[str] = []
    left = MOST_BYTES
    skipped = 0
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        answer = answers[number] if number < len(answers) and isinstance(answers[number], dict) else {}
        outputs, left = _taken(answer.get("outputs"), left)
        if answer.get("executed") is not True:
            outputs.append(error_output(NOT_RUN, "this cell was not executed to its end"))
            skipped += 1
        cell["outputs"] = outputs
        cell["execution_count"] = _count(answer.get("execution_count"))
        remarks += _bounded_points(cell)
    if skipped:
        remarks.append(f"{skipped} cells were not executed to their end; what they test has no points")
    if left <= 0:
        remarks.append("it showed more than is kept; the rest was left out")
    return remarks


def _bounded_points(cell: dict[str, Any]) -> list[str]:
    """Nbgrader refuses a whole submission in which one cell of tests says more points than it has."""
    mark = cell["metadata"].get("nbgrader") or {}
    if not mark.get("grade") or mark.get("solution"):
        return []
    for output in cell["outputs"]:
        if output["output_type"] == "execute_result":
            try:
                said = float(output["data"].get("text/plain") or "nan")
            except ValueError:
                said = math.nan
            if said > mark["points"]:
                what = f'the cell "{mark["grade_id"]}" says {said:g} points of {mark["points"]:g}'
                cell["outputs"].insert(0, error_output(TOO_MANY_POINTS, what))
                return [f"{what}; it has none"]
            if not output["data"].get("text/plain"):
                output["data"]["text/plain"] = " "
    return []


def _taken(said: Any, left: int) -> tuple[list[dict[str, Any]], int]:
    kept: list[dict[str, Any]] = []
    for one in (said if isinstance(said, list) else [])[:MOST_OUTPUTS]:
        output = _output(one) if isinstance(one, dict) else None
        if output is None:
            continue
        left -= len(json.dumps(output))
        if left <= 0:
            # An error must not get lost behind much output: it decides over points.
            if output["output_type"] == "error":
                kept.append(error_output(output["ename"][:200], output["evalue"][:200]))
            continue
        kept.append(output)
    return kept, left


def _output(one: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = one.get("output_type")
    if kind == "stream" and one.get("name") in _STREAMS:
        return {"output_type": kind, "name": one["name"], "text": _text(one.get("text"))}
    if kind in {"display_data", "execute_result"}:
        made = {"output_type": kind, "data": _bundle(one.get("data")), "metadata": {}}
        return made | ({"execution_count": _count(one.get("execution_count"))} if kind == "execute_result" else {})
    if kind == "error":
        lines = one.get("traceback")
        return {
            "output_type": kind,
            "ename": _text(one.get("ename"))[:1000],
            "evalue": _text(one.get("evalue")),
            "traceback": [_text(line) for line in _list(lines)[:MOST_OUTPUTS]],
        }
    return None


def _bundle(said: Any) -> dict[str, Any]:
    """Texts by type. Scripts and widgets are left out: pages of staff show what is kept."""
    if not isinstance(said, dict):
        return {}
    return {
        str(kind): value if str(kind).startswith("image/") and isinstance(value, str) else _text(value)
        for kind, value in said.items()
        if str(kind).startswith(("text/", "image/")) and kind != "text/javascript" and isinstance(value, str | list)
    }


def _text(said: Any) -> str:
    text = "".join(part for part in said if isinstance(part, str)) if isinstance(said, list) else said
    # A lone surrogate cannot be written as UTF-8.
    return text[:MOST_TEXT].encode(errors="replace").decode() if isinstance(text, str) else ""


def _count(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**31 else None


def _list(said: Any) -> Sequence[Any]:
    return said if isinstance(said, list) else ()
