"""Grades as a table for spreadsheets and other programs. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = (
    "assignment", "user", "last_name", "first_name", "email", "due", "handed_in", "raw_score", "late_penalty", "score",
    "max_score", "needs_manual",
)  # fmt: skip
"""Times are UTC, ISO 8601; `score` is `raw_score` less `late_penalty`, never below zero."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a text (OWASP, CSV injection)."""


def grades_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """With a line of names first. Texts that a spreadsheet would compute have an apostrophe before them."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    return target.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
