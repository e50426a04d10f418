"""Retention by day: what a wrong clock must not do."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from firstbell.hub.records.chain import LOGIN
from firstbell.hub.records.check import check
from firstbell.hub.records.days import Days
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New

DAY = 24 * 3600.0


class Clocks:
    """The time of day and the steady clock of a machine."""

    def __init__(self) -> None:
        self.now, self.steady = 1000 * DAY, 0.0

    def days(self, number: float) -> None:
        self.now += number * DAY
        self.steady += number * DAY


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def record(tmp_path: Path, clocks: Clocks) -> Record:
    made = Record(tmp_path / FILE, lambda: clocks.now)
    made.add(New(LOGIN, "", "ada", "ada"))
    return made


def look(days: Days, record: Record) -> int:
    gone = days.look_if_due(record)
    assert check(record.db).found == ()
    return gone


def test_once_a_day_what_is_too_old_leaves(record: Record, clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    """Not before, not more often, and the head is in the hub's log, from where it may go elsewhere."""
    days = Days(30, lambda: clocks.now, lambda: clocks.steady)
    with caplog.at_level(logging.INFO, "firstbell.acts"):
        assert look(days, record) == 0
        for gone in (0, 0, 0, 2):
            clocks.days(10)
            assert look(days, record) == gone
    clocks.days(0.5)
    record.add(New(LOGIN, "", "ada", "ada", at=0.0))
    assert look(days, record) == 0
    last, own = 3, record.db.execute("SELECT hash FROM entries WHERE id = 3").fetchone()[0]
    assert f"The record's head is {last}:{own.hex()}" in caplog.messages


def test_a_machine_that_begins_in_a_wrong_year_takes_nothing_out(record: Record, clocks: Clocks) -> None:
    """Whether its clock is put right in the first day or not before the hub's next start."""
    days = Days(30, lambda: clocks.now, lambda: clocks.steady)
    clocks.now += 3650 * DAY
    assert look(days, record) == 0
    clocks.now -= 3650 * DAY
    clocks.days(1)
    assert look(days, record) == 0
    assert record.lines()[0].who == "ada"


def test_a_clock_that_jumps_is_not_believed_on_that_day(record: Record, clocks: Clocks) -> None:
    """It may have been put wrong; a day on it goes on evenly, and is believed."""
    days = Days(30, lambda: clocks.now, lambda: clocks.steady)
    assert look(days, record) == 0
    clocks.days(1)
    clocks.now += 100 * DAY
    assert look(days, record) == 0
    clocks.days(1)
    assert look(days, record) == 2


def test_a_course_that_rested_for_months_is_kept_tidy_a_day_later(record: Record, clocks: Clocks) -> None:
    """Its clock is right, and seen to be."""
    clocks.now += 200 * DAY
    days = Days(30, lambda: clocks.now, lambda: clocks.steady)
    assert look(days, record) == 0
    clocks.days(1)
    assert look(days, record) == 2
