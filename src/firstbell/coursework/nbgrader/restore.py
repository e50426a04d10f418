"""Gives the cells of a submitted notebook the marks that they were handed out with. Pure.

nbgrader itself trusts part of the metadata that comes back (whether a cell is graded at all, for instance); here none
of it is taken from a submission but the name of the cell.
"""

from __future__ import annotations

import copy
from typing import Any

from firstbell.coursework.nbgrader.check import mark_of

_WEIGHTY = ("grade", "solution", "locked", "task", "points")


def restored(submitted: dict[str, Any], released: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The submission with the marks of the released notebook, and what was found changed or missing, in words."""
    known = {mark["grade_id"]: mark for cell in released["cells"] if (mark := mark_of(cell))}
    notebook = copy.deepcopy(submitted)
    remarks: list[str] = []
    seen: set[str] = set()
    # From the end, so that of two cells with one name the last keeps it, as nbgrader does.
    for number, cell in reversed([*enumerate(notebook["cells"], 1)]):
        mark = cell["metadata"].pop("nbgrader", None)
        name = mark.get("grade_id") if isinstance(mark, dict) else None
        if not isinstance(name, str) or name not in known:
            continue
        if name in seen:
            remarks.append(f'cell {number} is a second "{name}": the last one counts')
            continue
        seen.add(name)
        cell["metadata"]["nbgrader"] = copy.deepcopy(known[name])
        if any(mark.get(key) != known[name].get(key) for key in _WEIGHTY):
            remarks.append(f'the marks of the cell "{name}" had been changed; it has its own again')
    remarks.reverse()
    for name, mark in known.items():
        if name not in seen and (mark.get("grade") or mark.get("task")):
            remarks.append(f'the graded cell "{name}" ({mark.get("points", 0):g} points) is missing')
    return notebook, remarks
