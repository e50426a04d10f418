"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from firstbell.coursework.times import aside_name, parse_moment, parse_past, shown, timestamp
from firstbell.errors import CourseFileError

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 24, 12, 0, tzinfo=UTC).timestamp()
"""14:00 in Berlin, on the day before the clocks go back."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-10-24 14:00"),
        ("2026-11-21 14:05", "2026-11-21 14:05"),
        ("2026-11-21T14:05", "2026-11-21 14:05"),
        ("2026-11-21 9:05", "2026-11-21 09:05"),
        ("16:30", "2026-10-24 16:30"),
        ("9:30", "2026-10-25 09:30"),
        ("14:00", "2026-10-25 14:00"),
        ("+90m", "2026-10-24 15:30"),
        ("+2d", "2026-10-26 13:00"),
        ("2027-03-28 02:30", "2027-03-28 03:00"),
    ],
)
def test_times_are_those_of_the_course(text: str, expected: str):
    """A time of day is the next there is; what summer time leaves out is the first moment after it."""
    assert shown(parse_moment(text, BERLIN, NOW), BERLIN) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2026-10-24 16:30:15", 9015), ("2026-10-24 9:30:00", -16200), ("14:00:20", 20), ("+45s", 45), ("+2m", 120)],
)
def test_seconds_count(text: str, seconds: int):
    """A deadline is not moved to the minute before it."""
    assert parse_moment(text, BERLIN, NOW) == NOW + seconds


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01 10:00", "25:00", "2026-11-21", "+5", "+-3h", "10:0"])
def test_what_is_no_time_is_told_how_to_write_one(text: str):
    """The refusal shows a good one."""
    with pytest.raises(CourseFileError) as refusal:
        parse_moment(text, BERLIN, NOW)
    assert "2026-11-21 14:05" in refusal.value.next_step


def test_names_and_stamps():
    """The kept folder's name has the course's time, nbgrader's stamp UTC."""
    assert aside_name("hw1", NOW, BERLIN) == "hw1 (before 2026-10-24 14.00)"
    assert timestamp(NOW) == b"2026-10-24 12:00:00.000000 UTC"
    assert shown(None, BERLIN) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-01", "2026-10-01 00:00"),
        ("2026-10-01 14:05", "2026-10-01 14:05"),
        ("today", "2026-10-24 00:00"),
        ("90m", "2026-10-24 12:30"),
        ("3h", "2026-10-24 11:00"),
        ("2d", "2026-10-22 14:00"),
    ],
)
def test_since_when(text: str, expected: str):
    """A day begins at midnight where the course is; the rest is so long ago."""
    assert shown(parse_past(text, BERLIN, NOW), BERLIN) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-12-01", "16:30", "3", "3w", "9999999d"])
def test_what_was_not_is_told_how_to_write_it(text: str):
    """Neither nonsense nor what is still to come."""
    with pytest.raises(CourseFileError) as refusal:
        parse_past(text, BERLIN, NOW)
    assert "3h" in refusal.value.next_step
