"""How bells stand, as values: what the hub tells the command line, its log, and the staff's page. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self
from zoneinfo import ZoneInfo

from firstbell.model.bell import EVERYONE
from firstbell.plan.bell_forecast import Forecast
from firstbell.plan.bells import Occurrence


@dataclass(frozen=True, slots=True)
class BellLine:
    """One ringing: to come, under way, over or missed. Moments are RFC 3339, UTC."""

    bell: str
    at: str
    local: str
    """The same in the course's time zone, for eyes."""
    begins: str
    """When its first start begins, or began."""
    ends: str
    """When servers that nobody has taken are stopped."""
    whom: str
    state: str
    """`next`, `begun`, `over`, `missed`."""
    wanted: int
    ready: int
    """How many run; of one that is to come how many will run by the bell."""
    taken: int = 0
    failed: int = 0
    seconds: float | None = None
    """From its begin until all were ready."""
    can_be_met: bool = True
    words: str = ""
    """What is to be said about it: why it cannot be met, with numbers."""
    key: str = ""

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From JSON; what a hub of another version adds is left out."""
        return cls(**{field.name: plain[field.name] for field in fields(cls) if field.name in plain})


@dataclass(frozen=True, slots=True)
class BellReport:
    """All of it at one moment, soonest first; what is past newest first."""

    time_zone: str
    coming: tuple[BellLine, ...] = ()
    ringing: tuple[BellLine, ...] = ()
    past: tuple[BellLine, ...] = ()
    ended: tuple[str, ...] = ()
    """Bells that never ring again: all their dates are past."""

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From JSON."""
        lines = {name: tuple(BellLine.of(line) for line in plain[name]) for name in ("coming", "ringing", "past")}
        return cls(plain["time_zone"], ended=tuple(plain["ended"]), **lines)

    @property
    def warnings(self) -> tuple[BellLine, ...]:
        """Those that cannot be met."""
        return tuple(line for line in (*self.ringing, *self.coming) if not line.can_be_met)


def whom_words(ring: Occurrence) -> str:
    """For whom it is."""
    if ring.seats:
        return "one seat" if ring.seats == 1 else f"{ring.seats} seats"
    if ring.names:
        return ring.names[0] if len(ring.names) == 1 else f"{len(ring.names)} people"
    return "everyone" if ring.who == EVERYONE else f"section {ring.who.removeprefix('section:').strip()}"


def line(
    ring: Occurrence,
    zone: ZoneInfo,
    *,
    begins: dt.datetime,
    state: str,
    wanted: int,
    ready: int,
    **more: Any,
) -> BellLine:
    """The line of a ringing."""
    return BellLine(
        bell=ring.bell,
        at=stamp(ring.at),
        local=ring.at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M"),
        begins=stamp(begins),
        ends=stamp(ring.ends),
        whom=whom_words(ring),
        state=state,
        wanted=wanted,
        ready=ready,
        key=ring.key,
        **more,
    )


def coming_line(ring: Occurrence, zone: ZoneInfo, found: Forecast) -> BellLine:
    """The line of a ringing to come, with its forecast."""
    return line(
        ring,
        zone,
        begins=found.begins,
        state="next",
        wanted=found.wanted,
        ready=found.ready,
        can_be_met=found.can_be_met,
        words=found.words,
    )


def stamp(moment: dt.datetime) -> str:
    """RFC 3339, UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_warnings(report: BellReport, told: Iterable[str]) -> tuple[BellLine, ...]:
    """Those that cannot be met for a reason that was not told yet; `told` holds what `warning_mark` gives."""
    known = set(told)
    return tuple(line for line in report.warnings if warning_mark(line) not in known)


def warning_mark(warned: BellLine) -> str:
    """What tells one warning from another: the ringing and how many will be ready, not each second's numbers."""
    return f"{warned.key} {warned.ready}"
