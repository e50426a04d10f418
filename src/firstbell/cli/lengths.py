"""Lengths of time on the command line: `30s`, `2min`, `90`."""

from __future__ import annotations

import re

from firstbell.errors import CourseFileError

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?")
_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds_of(text: str, option: str) -> float:
    """Seconds; a bare number is seconds. Raises CourseFileError."""
    found = _LENGTH.fullmatch(text.strip().lower())
    if not found:
        raise CourseFileError(f"{option} {text} is no length of time", next_step=f"Write it so: {option} 30s")
    return float(found[1]) * _UNITS[(found[2] or "s")[0]]
