"""What growing and a day's comings and goings came to: figures, plots. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench import stats
from bench.figures import Figure, at_least, at_most, part
from bench.plot import Axis, plot
from bench.record import Record

_MB, _KB = 1e6, 1e3
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
    """Of the hub, per start."""
    hub_memory: int
    proxy_memory: int
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
    """Bytes that the proxy's JavaScript uses after a collection: what node holds beside them it may need again."""
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
        beside="at the beginning",
        tables=(_sizes(grown),),
        plots={"growth-memory": _growth_plot(grown), "growth-day": _day_plot(day)},
    )


def growth_figures(grown: Sequence[Size]) -> tuple[Figure, ...]:
    """Each with how straight its line is."""
    first, last = grown[0], grown[-1]

    def beside(title: str, column: str, unit: str, scale: float = 1.0) -> Figure:
        ours, theirs = getattr(last, column) / scale, getattr(first, column) / scale
        return Figure(title, (ours,), (theirs,), unit)

    def bend(title: str, column: str) -> Figure:
        points = [(float(size.servers), float(getattr(size, column))) for size in grown]
        return Figure(f"  {title}: bend of the line (1: straight)", (stats.bend(points, _FLAT),), goal=at_most(STEEPER))

    def each(title: str, column: str) -> Figure:
        points = [(float(size.servers), float(getattr(size, column))) for size in grown]
        return Figure(f"  {title}, for each server more", (stats.fit(points).slope / _KB,), unit="kB")

    flat = Figure(
        f"CPU of the hub per start, the {last.servers}th beside the {first.servers}th",
        (last.start_cpu * 1000,),
        (first.start_cpu * 1000,),
        "ms",
        goal=part(STEEPER),
        beside_is="that at the beginning",
    )
    return (
        flat,
        beside("  time per start, eight at once", "start_seconds", "s"),
        beside(f"Memory of the hub with {last.servers} servers", "hub_memory", "MB", _MB),
        each("hub", "hub_memory"),
        bend("hub", "hub_memory"),
        beside(f"Memory of the proxy with {last.servers} servers", "proxy_memory", "MB", _MB),
        each("proxy", "proxy_memory"),
        bend("proxy", "proxy_memory"),
        beside(f"CPU of the hub with {last.servers} idle servers, of a core", "hub_idle", "%"),
        Figure(
            "  per hundred servers",
            (100 * last.hub_idle / last.servers,),
            (100 * first.hub_idle / first.servers,),
            "%",
            part(STEEPER),
            "that at the beginning",
        ),
        beside("CPU of the proxy, the same", "proxy_idle", "%"),
    )


def day_figures(day: Sequence[Moment]) -> tuple[Figure, ...]:
    """Growth of the day's second half, per thousand visits; the first half fills what is kept on purpose."""
    later = day[len(day) // 2 :]

    def slope(column: str) -> float:
        return stats.fit([(float(m.visits), float(getattr(m, column))) for m in later]).slope * 1000

    kept = at_most(1000)
    return (
        Figure("A day: the hub keeps, per thousand visits", (slope("hub_memory") / _KB,), unit="kB", goal=kept),
        Figure("  the proxy keeps", (slope("proxy_heap") / _KB,), unit="kB", goal=kept),
        Figure("  the database grows by", (slope("database") / _KB,), unit="kB", goal=at_most(100)),
        Figure("  tokens in the database", (slope("tokens"),), goal=at_most(10)),
        Figure("  rows that visits write", (slope("rows"),), goal=at_most(10)),
        Figure("Visits of the day", (float(day[-1].visits),), goal=at_least(1)),
    )  # fmt: skip


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
