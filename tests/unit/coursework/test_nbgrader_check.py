"""What is wrong with an instructor's notebook, in words."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.coursework.nbgrader.check import Marks, source_problems
from tests.support.assignment import code, mark, notebook, source, text


def problems(*cells: dict[str, Any]) -> list[str]:
    return source_problems(notebook(*cells), Marks())


def test_a_whole_assignment_has_no_problem() -> None:
    """Solutions, tests, hidden tests and cells graded by hand are as nbgrader wants them."""
    assert source_problems(source(), Marks()) == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (code("### BEGIN SOLUTION\n1", mark("a", solution=True)), 'begins in line 1 is not closed: "END SOLUTION"'),
        (
            code("1\n### END SOLUTION", mark("a", solution=True)),
            'line 2 says "END SOLUTION", but no solution has begun',
        ),
        (
            code("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", mark("a", solution=True)),
            "a solution begins in line 2, within the one that begins in line 1",
        ),
        (code("### BEGIN SOLUTION\n### END SOLUTION"), "belongs into a cell marked as a solution"),
        (code("### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"), "belongs into a cell of autograder tests"),
        (code("# AUTOTEST x", mark("a", grade=True, points=1)), "generate_source_with_tests"),
        (code("", mark("", solution=True)), '"" is no grade id'),
        (code("", mark("a b", solution=True)), '"a b" is no grade id'),
        (code("", mark("a", grade=True)), "it has no points"),
        (code("", mark("a", grade=True, points=-1)), "it has no points"),
        (code("", mark("a", grade=True, points="many")), "it has no points"),
        (code("", mark("a", solution=True, schema_version=1)), "`nbgrader update`"),
        (code("", mark("a", task=True, points=1)), "a task is a Markdown cell"),
        (text("", mark("a", grade=True, points=1)), "both graded and a solution"),
    ],
)
def test_each_mistake_is_said_with_its_cell(cell: dict[str, Any], said: str) -> None:
    """One sentence for each, which names the cell as people count them."""
    (found,) = problems(text("# Title"), cell)
    assert found.startswith("cell 2") and said in found


def test_two_cells_with_one_grade_id_are_both_named() -> None:
    """Where the second is, and where the first."""
    (found,) = problems(code("", mark("a", solution=True)), text("x"), code("", mark("a", solution=True)))
    assert found == 'cells 1 and 3 have the same grade id "a": each needs its own'


def test_a_language_without_a_stub_is_named_with_its_remedy() -> None:
    """Nbgrader would raise in the middle of its work."""
    made = source() | {"metadata": {"kernelspec": {"name": "x", "language": "julia"}}}
    (found,) = source_problems(made, Marks())
    assert '"julia"' in found and "code_stub" in found


def test_what_is_no_notebook_is_said() -> None:
    """A notebook of format 3, or any other JSON."""
    assert source_problems({"worksheets": []}, Marks()) == ["this is no notebook of format 4: it has no list of cells"]
