"""An assignment of one notebook with solutions and tests, and what students make of it; plain JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def mark(name: str, **words: Any) -> dict[str, Any]:
    """A cell's nbgrader metadata."""
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {"schema_version": 3, **plain, "grade_id": name, **words}}


def code(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "id": name or f"c{abs(hash(source)) % 10**8}",
        "metadata": metadata or {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def text(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A Markdown cell."""
    identity = name or f"m{abs(hash(source)) % 10**8}"
    return {"cell_type": "markdown", "id": identity, "metadata": metadata or {}, "source": source}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """A notebook for Python."""
    return {"cells": list(cells), "metadata": {"kernelspec": dict(KERNEL)}, "nbformat": 4, "nbformat_minor": 5}


SECRET = "hidden_value_of_nine"
"""Stands in a hidden test alone."""


def source() -> dict[str, Any]:
    """As an instructor writes it: 3 points by tests, 1 by tests that read a file, 2 by hand."""
    return notebook(
        text("# Squares"),
        code(
            "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION",
            mark("square", solution=True),
        ),
        code(
            "assert square(2) == 4\n### BEGIN HIDDEN TESTS\n"
            f"{SECRET} = 9\nassert square(3) == {SECRET}\n### END HIDDEN TESTS",
            mark("test_square", grade=True, locked=True, points=3),
        ),
        code("assert open('data.txt').read() == 'ours'", mark("test_data", grade=True, locked=True, points=1)),
        text("Because.", mark("why", grade=True, solution=True, points=2)),
    )


def answered(released: dict[str, Any], body: str, why: str = "It is so.") -> dict[str, Any]:
    """The released notebook with a student's code and words."""
    made = copy.deepcopy(released)
    made["cells"][1]["source"] = body
    made["cells"][4]["source"] = why
    return made


def as_text(made: dict[str, Any]) -> str:
    """As a file has it."""
    return json.dumps(made, indent=1)
