"""Submitted marks are never believed."""

from __future__ import annotations

from firstbell.coursework.nbgrader.restore import restored
from tests.support.assignment import answered, code, mark, source


def test_an_honest_submission_is_left_as_it_is() -> None:
    """No remark, and the same notebook."""
    sent = answered(source(), "x = 1")
    made, remarks = restored(sent, source())
    assert (made, remarks) == (sent, [])


def test_changed_marks_come_back() -> None:
    """Points, and whether a cell is graded at all, are the assignment's."""
    sent = source()
    sent["cells"][2]["metadata"] = mark("test_square", grade=False, points=100)
    made, remarks = restored(sent, source())
    assert made["cells"][2]["metadata"] == source()["cells"][2]["metadata"]
    assert remarks == ['the marks of the cell "test_square" had been changed; it has its own again']


def test_a_cell_that_is_gone_is_named_with_its_points() -> None:
    """What is not there cannot be graded, and that is said."""
    sent = source()
    del sent["cells"][2]
    assert restored(sent, source())[1] == ['the graded cell "test_square" (3 points) is missing']


def test_marks_of_ones_own_are_taken_off() -> None:
    """Cells that nobody handed out, and marks that are no marks."""
    sent = source()
    sent["cells"] += [code("1", mark("mine", grade=True, points=50)), code("2", {"nbgrader": "x"})]
    made, remarks = restored(sent, source())
    assert [cell["metadata"] for cell in made["cells"][-2:]] == [{}, {}]
    assert remarks == []


def test_of_two_cells_with_one_name_the_last_counts() -> None:
    """As nbgrader does."""
    sent = source()
    sent["cells"].append(code("pass", mark("test_square", grade=True, locked=True, points=3)))
    made, remarks = restored(sent, source())
    assert "nbgrader" not in made["cells"][2]["metadata"]
    assert made["cells"][-1]["metadata"]["nbgrader"]["grade_id"] == "test_square"
    assert remarks == ['cell 3 is a second "test_square": the last one counts']
