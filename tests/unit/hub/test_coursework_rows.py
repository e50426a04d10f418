"""How far somebody is: for staff, and what of it is their own to know."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.hub.coursework.rows import ORDER, Row, Stage, count, in_order, row_of, stage_of

PERSON: dict[str, Any] = {
    "user": "ada", "name": "Ada", "section": "A", "due": "2026-09-21 18:00", "extended": False, "released": "",
    "released_at": None, "opened": "", "handed_in": "", "kind": "", "receipt": "", "late": 0, "graded": "",
    "returned": "", "problem": "", "under_way": "", "asked": 0, "ended": 0,
}  # fmt: skip
OUT = {"released": "2026-09-21 16:13", "released_at": 1000.0}
IN = {**OUT, "handed_in": "2026-09-21 17:13", "receipt": "aa"}


def row(**words: Any) -> Row:
    return row_of({**PERSON, **words}, 2000.0)


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ({}, Stage.WITHOUT),
        (OUT, Stage.OPEN),
        ({**OUT, "late": 1}, Stage.LATE),
        (IN, Stage.DONE),
        ({**IN, "late": 1}, Stage.DONE),
        ({**IN, "graded": "7 of 10 points"}, Stage.GRADED),
        ({**IN, "graded": "7 of 10 points", "returned": "2026-09-22 10:00"}, Stage.RETURNED),
        ({**IN, "returned": "2026-09-22 10:00", "problem": "grade: it hangs"}, Stage.FAILED),
        ({**IN, "problem": "grade: it hangs", "under_way": "grade"}, Stage.WORKING),
    ],
)
def test_the_last_step_is_the_state(words: dict[str, Any], stage: Stage):
    """What came last counts; what failed or is being done comes before it."""
    assert stage_of({**PERSON, **words}) is stage


def test_those_to_be_looked_after_come_first():
    """Failures, then who has handed in nothing; by name or by time when that is asked for."""
    rows = [
        row(**IN | {"user": "zoe", "name": "Zoe", "handed_in": "2026-09-20 10:00"}),
        row(**OUT),
        row(**IN | {"user": "bob", "name": "bob", "problem": "x"}),
    ]
    assert [one.username for one in in_order(rows)] == ["bob", "ada", "zoe"]
    assert [one.username for one in in_order(rows, "name")] == ["ada", "bob", "zoe"]
    assert [one.username for one in in_order(rows, "seen")] == ["zoe", "bob", "ada"]
    assert list(ORDER) == list(Stage)


def test_a_row_says_what_is_special():
    """One's own deadline, a snapshot of the deadline, what is being done, whether they have been in since."""
    assert (row(**OUT).due, row(**OUT, extended=True).due) == ("", "2026-09-21 18:00")
    assert row(**IN, kind="deadline").kind == "collected at the deadline" and row(**IN, kind="early").kind == ""
    assert row(**IN, under_way="grade").words == "being graded" and row(**IN, problem="why").words == "why"
    assert row(**OUT).is_here and not row_of({**PERSON, **OUT}, 999.0).is_here and not row_of(PERSON, 2000.0).is_here


def test_counts_and_progress():
    """How many are at each stage, and the tasks of the orders that are under way."""
    found = count([row(**OUT, asked=2, ended=1), row(**IN | {"user": "bob"}, asked=1, ended=1)])
    assert (found["open"], found["done"], found["failed"]) == (1, 1, 0)
    assert (found["asked"], found["ended"]) == (3, 2)
