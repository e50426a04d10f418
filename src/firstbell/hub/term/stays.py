"""How much a course is used, from the starts and ends of servers in the record. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import quantiles
from zoneinfo import ZoneInfo

HOUR = 3600
DAY = 24 * HOUR
_HOURS_SHOWN = 15 * DAY
"""Seconds up to which each hour is shown for itself; of more, each day's busiest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A server began to run, or ended. Unix seconds."""

    at: float
    whom: str
    is_start: bool


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in which somebody's server ran."""

    whom: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Bar:
    """How many there were from then to then, at most."""

    begin: float
    end: float
    count: int


@dataclass(frozen=True, slots=True)
class Week:
    """How many hours the servers of people ran in a week that begins with that Monday, in the course's time zone."""

    monday: date
    begin: float
    end: float
    hours: Mapping[str, float]

    @property
    def spread(self) -> tuple[float, float, float, float, float] | None:
        """Least, lower quartile, median, upper quartile, most, of those who were there; None for nobody."""
        found = sorted(self.hours.values())
        if not found:
            return None
        if len(found) == 1:
            return (found[0],) * 5
        low, middle, high = quantiles(found, n=4, method="inclusive")
        return found[0], low, middle, high, found[-1]


def stays(marks: Iterable[Mark], begin: float, end: float) -> tuple[Stay, ...]:
    """The times between start and end, cut to what lies between these moments. Marks in the record's order.

    A server that runs still does so to the end. Of one whose end nobody knows (a later start and no end before it)
    nothing is counted: better too little than weeks that nobody was there.
    """
    since: dict[str, float] = {}
    found = []
    for mark in marks:
        if mark.is_start:
            since[mark.whom] = mark.at
        elif (started := since.pop(mark.whom, None)) is not None:
            found.append(Stay(mark.whom, started, mark.at))
    found += [Stay(whom, started, end) for whom, started in since.items()]
    cut = (Stay(s.whom, max(s.begin, begin), min(s.end, end)) for s in found)
    return tuple(stay for stay in cut if stay.end > stay.begin)


def people_by_hour(found: Iterable[Stay], begin: float, end: float, zone: ZoneInfo) -> tuple[Bar, ...]:
    """How many different people had a server that ran in each hour; over more than two weeks, in each day's busiest."""
    there: dict[int, set[str]] = defaultdict(set)
    for stay in found:
        for hour in range(int(stay.begin // HOUR), int(-(-stay.end // HOUR))):
            there[hour].add(stay.whom)
    if end - begin <= _HOURS_SHOWN:
        hours = range(int(begin // HOUR), int(-(-end // HOUR)))
        return tuple(Bar(hour * HOUR, (hour + 1) * HOUR, len(there.get(hour, ()))) for hour in hours)
    most: dict[date, int] = defaultdict(int)
    for hour, people in there.items():
        day = datetime.fromtimestamp(hour * HOUR, zone).date()
        most[day] = max(most[day], len(people))
    return tuple(Bar(one, other, most.get(day, 0)) for day, one, other in _days(begin, end, zone, 1))


def hours_by_week(found: Iterable[Stay], begin: float, end: float, zone: ZoneInfo) -> tuple[Week, ...]:
    """For how many hours each person's server ran, in each week that has a part of that time."""
    first = datetime.fromtimestamp(begin, zone).date()
    monday = _midnight(first - timedelta(days=first.weekday()), zone)
    weeks = tuple(_days(monday, end, zone, 7))
    hours: list[dict[str, float]] = [defaultdict(float) for _ in weeks]
    for stay in found:
        for (_, one, other), those in zip(weeks, hours, strict=True):
            if (overlap := min(stay.end, other) - max(stay.begin, one)) > 0:
                those[stay.whom] += overlap / HOUR
    return tuple(Week(day, one, other, dict(those)) for (day, one, other), those in zip(weeks, hours, strict=True))


def days_between(begin: float, end: float, zone: ZoneInfo, step: int) -> Iterator[tuple[date, float]]:
    """Every so many days' midnight that lies between these moments."""
    yield from ((day, one) for day, one, _ in _days(begin, end, zone, step) if one >= begin)


def _days(begin: float, end: float, zone: ZoneInfo, step: int) -> Iterator[tuple[date, float, float]]:
    """Stretches of so many days, from midnight to midnight, the first with `begin` in it."""
    day = datetime.fromtimestamp(begin, zone).date()
    while (one := _midnight(day, zone)) < end:
        after = day + timedelta(days=step)
        yield day, one, _midnight(after, zone)
        day = after


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()
