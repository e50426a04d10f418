"""When bells ring and when starting must begin. Pure: a bell, a time zone and a clock's reading in, moments out.

Every moment is aware and in UTC; the course's time zone decides only which moment "09:00 on that day" is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from firstbell.model.bell import DAYS, Bell

LEAST_LEAD = 120.0
"""Seconds before the bell at which starting begins at the latest, be there ever so few servers."""
MARGIN = 1.5
"""By how much longer than computed starting is given: the machine may be busy with those who came early."""
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One ringing of one bell."""

    bell: str
    """The bell's title."""
    at: dt.datetime
    who: str = "everyone"
    """As in the course file: "everyone" or "section:NAME"."""
    seats: int = 0
    """A seminar's: how many are kept ready."""
    names: tuple[str, ...] = ()
    """Whose servers, where they are named (`bell now --who`) rather than described by `who`."""
    kernels: bool = True
    lead: float | None = None
    """Seconds; None where it follows from how many servers there are."""
    grace: float = 1200.0

    @property
    def key(self) -> str:
        """What tells it from every other ringing: the same after a restart, and after an `up` that left the bell."""
        return f"{self.bell} @ {self.at:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def ends(self) -> dt.datetime:
        """When servers that nobody has taken are stopped."""
        return self.at + dt.timedelta(seconds=self.grace)

    def begins(self, servers: int, seconds_each: float) -> dt.datetime:
        """When the first start must begin, for so many servers at `seconds_each` per start, all lanes together."""
        needed = max(LEAST_LEAD, servers * seconds_each * MARGIN) if self.lead is None else self.lead
        return self.at - dt.timedelta(seconds=needed)


def moment(day: dt.date, clock: str, zone: ZoneInfo) -> dt.datetime:
    """The moment of a local time (HH:MM).

    One that the change to summer time leaves out is the first moment that exists after it; of one that occurs twice
    it is the first.
    """
    local = dt.datetime.combine(day, dt.time.fromisoformat(clock))
    after = local.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if after.astimezone(zone).replace(tzinfo=None) == local:
        return after
    before = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    return _change_between(before, after, zone)


def _change_between(before: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The first second of the zone's new offset, which begins between the two."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        is_old = (before + dt.timedelta(seconds=middle)).astimezone(zone).utcoffset() == old
        low, high = (middle, high) if is_old else (low, middle)
    return before + dt.timedelta(seconds=high)


def rings(bell: Bell, zone: ZoneInfo, after: dt.datetime, capacity: int = 0) -> Iterator[Occurrence]:
    """Its ringings at or after that moment, soonest first; without end where it rings every week.

    `capacity` is the room's, where the course is a seminar: how many seats a bell keeps that names no number.
    """
    first = after.astimezone(zone).date() - _DAY
    for day in _days(bell, first):
        at = moment(day, bell.at, zone)
        if at >= after:
            yield Occurrence(
                bell=bell.title,
                at=at,
                who=bell.who,
                seats=bell.seats or capacity,
                kernels=bell.kernels,
                lead=bell.lead,
                grace=bell.grace,
            )


def _days(bell: Bell, first: dt.date) -> Iterator[dt.date]:
    """The days on which it rings, from `first` on."""
    single = {dt.date.fromisoformat(date) for date in bell.dates}
    never = {dt.date.fromisoformat(date) for date in bell.exceptions}
    weekly = {DAYS.index(day) for day in bell.days}
    last = max(single, default=first)
    day, idle = first, 0
    # However many weeks in a row are excepted, the one after them is not.
    while (weekly and idle < 7 * (len(never) + 2)) or day <= last:
        idle += 1
        if day not in never and (day in single or day.weekday() in weekly):
            idle = 0
            yield day
        if day.year == dt.MAXYEAR and day.month == 12:
            return
        day += _DAY


def upcoming(bells: Iterable[Bell], zone: ZoneInfo, after: dt.datetime, capacity: int = 0) -> tuple[Occurrence, ...]:
    """The next ringing of each bell that has one, soonest first."""
    found = (next(rings(bell, zone, after, capacity), None) for bell in bells)
    return tuple(sorted((o for o in found if o is not None), key=lambda o: (o.at, o.bell)))


def over(bells: Iterable[Bell], zone: ZoneInfo, now: dt.datetime) -> tuple[str, ...]:
    """The titles of bells that never ring again: all their dates are past."""
    return tuple(bell.title for bell in bells if next(rings(bell, zone, now), None) is None)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done about ringings at a moment."""

    begin: tuple[Occurrence, ...]
    """Those to begin with now: their time has come, and it is not over."""
    missed: tuple[Occurrence, ...]
    """Those whose time passed while nobody looked."""


def due(occurrences: Iterable[tuple[Occurrence, dt.datetime]], known: Iterable[str], now: dt.datetime) -> Due:
    """Which of the ringings (each with when it begins) are to begin and which were missed; `known` are dealt with."""
    dealt = set(known)
    fresh = [(o, begins) for o, begins in occurrences if o.key not in dealt]
    return Due(
        begin=tuple(o for o, begins in fresh if begins <= now < max(o.ends, o.at + dt.timedelta(seconds=1))),
        missed=tuple(o for o, _ in fresh if now >= max(o.ends, o.at + dt.timedelta(seconds=1))),
    )


@dataclass(frozen=True, slots=True)
class Want:
    """What ringings that overlap want together of one person's server."""

    keys: tuple[str, ...]
    until: dt.datetime
    """When it is stopped if nobody has come: the latest of their ends."""
    kernels: bool
    """Whether any of them wants a kernel."""


def merged(whom: Mapping[Occurrence, Iterable[str]]) -> dict[str, Want]:
    """Of each person what all ringings want together, whoever is wanted first being first: one server, started once."""
    wants: dict[str, Want] = {}
    for ring in sorted(whom, key=lambda o: (o.at, o.bell)):
        for user in whom[ring]:
            had = wants.get(user)
            wants[user] = Want(
                keys=(*(had.keys if had else ()), ring.key),
                until=max(had.until, ring.ends) if had else ring.ends,
                kernels=(had.kernels if had else False) or ring.kernels,
            )
    return wants


def seats_wanted(active: Iterable[Occurrence]) -> int:
    """How many ready seats the ringings want together: as many as the one that wants most."""
    return max((ring.seats for ring in active), default=0)
