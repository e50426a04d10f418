"""What growing and a day's comings and goings came to: figures, plots. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from bench import stats
from bench.figures import Figure, Goal, at_least, at_most, part
from bench.plot import Axis, plot
from bench.record import Record

_MB, _KB = 1e6, 1e3
_MORE = 1.1
"""Up to which part of the first half's average the second half's counts as the same."""
_FLAT = 20 * _KB
"""Bytes per server: up to that a line counts as level. The noise of a measurement is some megabytes."""
STEEPER = 1.5
"""Up to which bend a line counts as straight: its last stretch, 200 to 400, beside the part before."""


@dataclass(frozen=True, slots=True)
class Size:
    """With so many servers."""

    servers: int
    start_seconds: float
    """Wall time per start, eight at once."""
    start_cpu: float
    """Of the hub, per start, without what it does for the servers that run (`hub_idle`)."""
    hub_memory: int
    proxy_memory: int
    proxy_heap: int
    """Bytes that the proxy's JavaScript uses after a collection: what node holds beside them it may need again."""
    hub_idle: float
    """Share of a core while nobody does anything, in per cent."""
    proxy_idle: float


@dataclass(frozen=True, slots=True)
class Moment:
    """At some time of the day."""

    visits: int
    seconds: float
    hub_memory: int
    """Bytes of heap and stacks that are kept once garbage is collected and given back."""
    proxy_memory: int
    proxy_heap: int
    database: int
    tokens: int
    rows: int
    """Of all tables that comings and goings write to."""


def record(grown: Sequence[Size], day: Sequence[Moment], people: int, facts: Mapping[str, Any]) -> Record:
    """What came out."""
    return Record(
        name="growth",
        figures=(*growth_figures(grown), *day_figures(day)),
        rows=[*map(_row, grown), *map(_row, day)],
        said=f"{grown[0].servers} to {grown[-1].servers} servers, then {day[-1].visits} times somebody came or went, "
        f"{people} people in turn, in {day[-1].seconds:.0f} s.",
        machine=facts,
        beside="before",
        tables=(_sizes(grown),),
        plots={"growth-memory": _growth_plot(grown), "growth-day": _day_plot(day)},
    )


def growth_figures(grown: Sequence[Size]) -> tuple[Figure, ...]:
    """What the last size needs beside the smaller ones, and how straight the lines are."""
    last = grown[-1]
    points = {
        column: [(float(size.servers), float(getattr(size, column))) for size in grown]
        for column in Size.__dataclass_fields__
    }

    def flat(title: str, column: str) -> Figure:
        """Beside the quickest of the smaller sizes."""
        *smaller, now = (1000 * value for _, value in points[column])
        return Figure(title, (now,), (min(smaller),), "ms", part(STEEPER), "the quickest before")

    def memory(title: str, column: str, kept: str) -> tuple[Figure, ...]:
        each = stats.fit(points[kept]).slope / _KB
        bend = stats.bend(points[kept], _FLAT)
        return (
            Figure(title, (points[column][-1][1] / _MB,), (points[column][0][1] / _MB,), "MB"),
            Figure("  for each server more", (each,), unit="kB"),
            Figure("  bend of the line (1: straight)", (bend,), goal=at_most(STEEPER)),
        )

    hundred = [100 * value / servers for servers, value in points["hub_idle"]]
    return (
        flat(f"CPU of the hub per start, up to {last.servers} servers", "start_cpu"),
        flat("  time per start, eight at once", "start_seconds"),
        *memory(f"Memory of the hub with {last.servers} servers", "hub_memory", "hub_memory"),
        *memory(f"Memory of the proxy with {last.servers} servers", "proxy_memory", "proxy_heap"),
        Figure(f"CPU of the hub with {last.servers} idle servers", (last.hub_idle,), (grown[0].hub_idle,), "%"),
        Figure("  per hundred", (hundred[-1],), (hundred[0],), "%", part(STEEPER), "that at the beginning"),
        Figure("  of the proxy", (last.proxy_idle,), (grown[0].proxy_idle,), "%"),
    )


def day_figures(day: Sequence[Moment]) -> tuple[Figure, ...]:
    """What the day's second half adds, per thousand visits; the first half fills what is kept on purpose.

    How many are present changes by chance, and the tokens with them: of these the halves' averages are compared.
    """
    earlier, later = day[: len(day) // 2], day[len(day) // 2 :]
    kept = at_most(1000)

    def slope(title: str, column: str, goal: Goal) -> Figure:
        points = [(float(m.visits), float(getattr(m, column))) for m in later]
        return Figure(title, (stats.steady_slope(points) * 1000 / _KB,), unit="kB", goal=goal)

    def average(title: str, column: str) -> Figure:
        ours, before = (mean(getattr(m, column) for m in half) for half in (later, earlier))
        return Figure(title, (ours,), (before,), goal=part(_MORE), beside_is="the first half's")

    return (
        slope("A day: the hub keeps, per thousand visits", "hub_memory", kept),
        slope("  the proxy keeps", "proxy_heap", kept),
        slope("  the database grows by", "database", at_most(100)),
        average("  tokens in the database, second half of the day", "tokens"),
        average("  rows that visits write, the same", "rows"),
        Figure("Visits of the day", (float(day[-1].visits),), goal=at_least(1)),
    )


def _row(entry: Size | Moment) -> dict[str, Any]:
    """A line of the CSV file: all columns of both kinds, those of the other one empty."""
    columns = dict.fromkeys((*Size.__dataclass_fields__, *Moment.__dataclass_fields__), "")
    return {"part": "growth" if isinstance(entry, Size) else "day", **columns, **asdict(entry)}


def _sizes(grown: Sequence[Size]) -> str:
    rows = [
        "| servers | time per start | CPU of hub per start | memory of hub | of proxy | idle CPU of hub | of proxy |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {s.servers} | {s.start_seconds * 1000:.0f} ms | {s.start_cpu * 1000:.0f} ms | {s.hub_memory / _MB:.0f} MB "
        f"| {s.proxy_memory / _MB:.0f} MB | {s.hub_idle:.1f} % | {s.proxy_idle:.1f} % |"
        for s in grown
    ]
    return "\n".join(rows)


def _growth_plot(grown: Sequence[Size]) -> str:
    series = {
        "hub": [(s.servers, s.hub_memory / _MB) for s in grown],
        "proxy": [(s.servers, s.proxy_memory / _MB) for s in grown],
    }
    return plot("Memory of hub and proxy", Axis("servers that run"), Axis("MB"), series, dots=True)


def _day_plot(day: Sequence[Moment]) -> str:
    series = {
        "hub": [(m.visits, m.hub_memory / _MB) for m in day],
        "proxy": [(m.visits, m.proxy_memory / _MB) for m in day],
        "in use in the proxy": [(m.visits, m.proxy_heap / _MB) for m in day],
        "database": [(m.visits, m.database / _MB) for m in day],
    }
    return plot("A day of comings and goings", Axis("people who came or went"), Axis("MB"), series)
