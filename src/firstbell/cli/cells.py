"""Cells of tables, as terminals and spreadsheets may have them: what is in them is what somebody typed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def one_line(cell: str) -> str:
    """Without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in cell)


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def local(stamp: str, zone: ZoneInfo) -> str:
    """A moment in the course's zone, to the minute."""
    return datetime.fromisoformat(stamp).astimezone(zone).strftime("%Y-%m-%d %H:%M")
