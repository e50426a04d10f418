"""When bells ring: days, dates, exceptions, the change of the clocks, ringings that overlap or were missed."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from firstbell.model.bell import Bell
from firstbell.plan.bells import Occurrence, due, merged, moment, over, rings, seats_wanted, upcoming

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Its summer time is half an hour."""


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def bell(**keys: object) -> Bell:
    return Bell.model_validate({"at": "09:00", **keys})


def first(found: Bell, after: str, count: int = 3, zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{o.at:%a %m-%d %H:%M}" for o in islice(rings(found, zone, utc(after)), count)]


def test_a_weekly_bell_rings_on_its_days_in_local_time():
    """Monday and Wednesday at nine in Berlin, which is seven o'clock UTC in summer."""
    assert first(bell(days=["mon", "wed"]), "2026-06-09T12:00") == [
        "Wed 06-10 07:00",
        "Mon 06-15 07:00",
        "Wed 06-17 07:00",
    ]


def test_it_keeps_its_local_time_over_the_change_of_the_clocks():
    """The Sunday of the change is an hour earlier in UTC in spring, and an hour later in autumn."""
    weekly = bell(days=["sun"])
    assert first(weekly, "2026-03-20T00:00") == ["Sun 03-22 08:00", "Sun 03-29 07:00", "Sun 04-05 07:00"]
    assert first(weekly, "2026-10-18T00:00") == ["Sun 10-18 07:00", "Sun 10-25 08:00", "Sun 11-01 08:00"]


@pytest.mark.parametrize(
    ("clock", "zone", "day", "expected"),
    [
        ("02:30", BERLIN, "2026-03-29", "2026-03-29T01:00"),  # 02:00-03:00 does not exist: 03:00 summer time
        ("02:00", BERLIN, "2026-03-29", "2026-03-29T01:00"),
        ("03:00", BERLIN, "2026-03-29", "2026-03-29T01:00"),
        ("01:59", BERLIN, "2026-03-29", "2026-03-29T00:59"),
        ("02:30", BERLIN, "2026-10-25", "2026-10-25T00:30"),  # occurs twice: the first, still summer time
        ("03:00", BERLIN, "2026-10-25", "2026-10-25T02:00"),
        ("02:15", NEW_YORK, "2026-03-08", "2026-03-08T07:00"),
        ("01:30", NEW_YORK, "2026-11-01", "2026-11-01T05:30"),
        ("02:15", LORD_HOWE, "2026-10-04", "2026-10-03T15:30"),
        ("01:45", LORD_HOWE, "2026-04-05", "2026-04-04T14:45"),
    ],
)
def test_a_time_that_is_left_out_moves_on_and_one_that_comes_twice_is_the_first(
    clock: str, zone: ZoneInfo, day: str, expected: str
):
    """Left out: the first moment that exists after it. Twice: the earlier one, and only that."""
    assert moment(dt.date.fromisoformat(day), clock, zone) == utc(expected)


def test_a_day_on_which_the_time_comes_twice_has_one_ringing():
    """Also when asked between the two."""
    night = bell(days=["sun"], at="02:30")
    assert first(night, "2026-10-25T00:00", 2) == ["Sun 10-25 00:30", "Sun 11-01 01:30"]
    assert first(night, "2026-10-25T00:31", 1) == ["Sun 11-01 01:30"]


def test_dates_and_exceptions():
    """Single days are added to weekly ones, exceptions taken away; what is past is past."""
    mixed = bell(days=["mon"], dates=["2026-12-24", "2026-01-01"], **{"except": ["2026-12-21"]})
    assert first(mixed, "2026-12-14T12:00") == ["Thu 12-24 08:00", "Mon 12-28 08:00", "Mon 01-04 08:00"]


def test_a_bell_of_past_dates_rings_no_more_and_is_named():
    """It has no next ringing; the weekly one beside it has."""
    past, weekly = bell(name="exam", dates=["2026-01-05"]), bell(days=["fri"])
    now = utc("2026-02-01T00:00")
    assert [o.bell for o in upcoming([past, weekly], BERLIN, now)] == ["fri 09:00"]
    assert over([past, weekly], BERLIN, now) == ("exam",)


def test_a_weekly_bell_rings_again_after_however_many_exceptions():
    """Three years of them are passed over."""
    day, never = dt.date(2026, 1, 5), []
    while day.year < 2029:
        never.append(day.isoformat())
        day += dt.timedelta(days=7)
    assert first(bell(days=["mon"], **{"except": never}), "2026-01-01T00:00", 1) == ["Mon 01-01 08:00"]
    assert next(rings(bell(days=["mon"], **{"except": never}), BERLIN, utc("2026-01-01T00:00"))).at.year == 2029


def test_the_lead_follows_from_how_many_and_how_fast():
    """Half as long again as computed, two minutes at least; a lead of the course file counts as it is."""
    ring = Occurrence("b", utc("2026-06-10T07:00"))
    assert ring.begins(220, 0.8) == utc("2026-06-10T06:55:36")
    assert ring.begins(3, 0.8) == utc("2026-06-10T06:58")
    assert Occurrence("b", ring.at, lead=60.0).begins(220, 0.8) == utc("2026-06-10T06:59")


def test_a_bell_found_late_still_begins_within_its_grace_and_is_missed_after_it():
    """A machine that comes back ten minutes after the bell starts the servers; after an hour it says so."""
    ring = Occurrence("b", utc("2026-06-10T07:00"), grace=1200.0)
    begins = utc("2026-06-10T06:55")
    for at, begin, missed in (
        ("06:54:59", (), ()),
        ("06:55:00", (ring,), ()),
        ("07:10:00", (ring,), ()),
        ("07:20:00", (), (ring,)),
    ):
        found = due([(ring, begins)], [], utc(f"2026-06-10T{at}"))
        assert (found.begin, found.missed) == (begin, missed), at
    dealt_with = due([(ring, begins)], [ring.key], utc("2026-06-10T07:10"))
    assert not dealt_with.begin and not dealt_with.missed


def test_ringings_that_overlap_want_one_server_of_each_person():
    """Wanted once, by both, until the later end, with a kernel if either wants one."""
    early = Occurrence("early", utc("2026-06-10T07:00"), grace=600.0, kernels=False)
    late = Occurrence("late", utc("2026-06-10T07:05"), grace=1200.0)
    wants = merged({late: ["ben", "cleo"], early: ["ada", "ben"]})
    assert list(wants) == ["ada", "ben", "cleo"]
    assert wants["ben"].keys == (early.key, late.key)
    assert wants["ben"].until == late.ends and wants["ada"].until == early.ends
    assert [wants[user].kernels for user in ("ada", "ben", "cleo")] == [False, True, True]


def test_seats_of_ringings_that_overlap_are_shared():
    """Ten seats and twenty seats at once are twenty ready seats, not thirty."""
    at = utc("2026-06-10T07:00")
    assert seats_wanted([Occurrence("a", at, seats=10), Occurrence("b", at, seats=20)]) == 20
    assert seats_wanted([]) == 0
