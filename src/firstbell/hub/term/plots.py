"""What was used over the term, as three plots with their tables: people, hours, memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from firstbell.hub.term.samples import EVERY, Sample
from firstbell.hub.term.stays import DAY, Bar, Stay, Week, hours_by_week, people_by_hour
from firstbell.hub.term.svg import Frame, Picture
from firstbell.model.container import GIB

NAMES = ("people", "hours", "memory")
_SPREAD = ("least", "lower quartile", "median", "upper quartile", "most")


@dataclass(frozen=True, slots=True)
class Term:
    """What is known of the time from `begin` to `end` (Unix seconds)."""

    begin: float
    end: float
    zone: ZoneInfo
    stays: tuple[Stay, ...]
    samples: tuple[Sample, ...]

    @property
    def weeks(self) -> tuple[Week, ...]:
        """For how long each person was there in each."""
        return hours_by_week(self.stays, self.begin, self.end, self.zone)


def pictures(term: Term) -> tuple[Picture, ...]:
    """The plots, in the order of NAMES."""
    return _people(term), _hours(term), _memory(term)


def _people(term: Term) -> Picture:
    bars = people_by_hour(term.stays, term.begin, term.end, term.zone)
    most = max(bars, key=lambda bar: bar.count, default=Bar(0, 0, 0))
    by_day = len(bars) > 1 and bars[0].end - bars[0].begin > DAY / 2
    pattern = "%Y-%m-%d" if by_day else "%Y-%m-%d %H:%M"
    frame = Frame.over(term.begin, term.end, most.count, term.zone)
    shown = [bar for bar in bars if bar.count]
    what = "in each day's busiest hour" if by_day else "in each hour"
    words = f"How many there were {what}."
    if shown:
        words += f" At most {most.count}, {_moment(most.begin, term.zone, pattern)}."
    return Picture(
        "people",
        "People whose server ran",
        words,
        frame.grid("people") + frame.bars((bar.begin, bar.end, bar.count) for bar in bars) if shown else "",
        (("bar", "people"),),
        ("day" if by_day else "hour from", "people"),
        tuple((_moment(bar.begin, term.zone, pattern), str(bar.count)) for bar in shown),
    )


def _hours(term: Term) -> Picture:
    weeks = [(week, week.spread) for week in term.weeks]
    shown = [(week, spread) for week, spread in weeks if spread]
    most = max((spread[-1] for _, spread in shown), default=0.0)
    frame = Frame.over(term.begin, term.end, most, term.zone)
    boxes = ((week.begin, week.end, spread) for week, spread in shown)
    return Picture(
        "hours",
        "Hours of a person and week",
        "For how long the server of each ran, of those who were there: least and most (line), the middle half of "
        "people (box), the median (bar).",
        frame.grid("hours") + frame.boxes(boxes) if shown else "",
        (("box", "people"),),
        ("week from", "people", *_SPREAD),
        tuple((str(week.monday), str(len(week.hours)), *(f"{hours:.1f}" for hours in s)) for week, s in shown),
    )


def _memory(term: Term) -> Picture:
    samples = term.samples
    total, used = max((s.total for s in samples), default=0), max((s.used for s in samples), default=0)
    frame = Frame.over(term.begin, term.end, max(total, used) / GIB, term.zone)
    gap = max(3 * EVERY, 3 * (term.end - term.begin) / MOST_SAMPLES)
    lines = (
        frame.line("limit", ((s.at, s.total / GIB) for s in samples), gap),
        frame.line("other", ((s.at, s.machine / GIB) for s in samples), gap),
        frame.line("line", ((s.at, s.used / GIB) for s in samples), gap),
    )
    fullest = max(samples, key=lambda s: s.machine, default=None)
    words = "What servers use, what is in use on the machine altogether, and what it has."
    if fullest and fullest.total:
        part = 100 * fullest.machine / fullest.total
        words += f" At its fullest {part:.0f} %, {_moment(fullest.at, term.zone, '%Y-%m-%d %H:%M')}."
    return Picture(
        "memory",
        "Memory",
        words,
        frame.grid("GiB") + "".join(lines) if samples else "",
        (("line", "servers"), ("other", "machine"), ("limit", "there is")),
        ("day", "servers at most", "used by servers", "in use", "there is"),
        tuple(_by_day(samples, term.zone)),
    )


MOST_SAMPLES = 500
"""Points of a line: more than can be told apart."""


def _by_day(samples: Sequence[Sample], zone: ZoneInfo) -> list[tuple[str, ...]]:
    days: dict[str, list[Sample]] = {}
    for sample in samples:
        days.setdefault(_moment(sample.at, zone, "%Y-%m-%d"), []).append(sample)
    return [
        (
            day,
            str(max(s.servers for s in those)),
            *(f"{max(getattr(s, what) for s in those) / GIB:.1f} GiB" for what in ("used", "machine", "total")),
        )
        for day, those in days.items()
    ]


def _moment(at: float, zone: ZoneInfo, pattern: str) -> str:
    return datetime.fromtimestamp(at, zone).strftime(pattern)
