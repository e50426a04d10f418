"""Grades as a table."""

from __future__ import annotations

import csv
import io
from typing import Any

from firstbell.coursework.grades import COLUMNS, grades_csv

ROW: dict[str, Any] = {
    "assignment": "ps1",
    "user": "ann",
    "last_name": 'O"Neil, Jr.',
    "first_name": "=HYPERLINK(1)",
    "email": "",
    "due": None,
    "handed_in": "2026-11-20T11:00:00+00:00",
    "raw_score": 4.0,
    "late_penalty": 0.5,
    "score": 3.5,
    "max_score": 6.0,
    "needs_manual": True,
    "notebooks": [],
}


def test_a_row_is_what_was_put_in() -> None:
    """Commas, quotes and what a spreadsheet would compute are only text; nbgrader's own export quotes nothing."""
    (row,) = csv.DictReader(io.StringIO(grades_csv([ROW])))
    assert tuple(row) == COLUMNS
    assert row["last_name"] == 'O"Neil, Jr.' and row["first_name"] == "'=HYPERLINK(1)"
    assert (row["raw_score"], row["score"], row["due"], row["needs_manual"]) == ("4", "3.5", "", "yes")


def test_without_grades_there_are_the_names_of_columns() -> None:
    """A program that reads it finds them."""
    assert grades_csv([]) == ",".join(COLUMNS) + "\n"
