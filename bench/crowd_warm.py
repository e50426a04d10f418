"""220 people within half a minute, and within a second, into servers that a bell has started beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench import crowd, machine, our_side, peer_side
from bench.crowd import Crowd
from bench.engine import Engine
from bench.figures import Figure, at_most, part
from bench.options import Options
from bench.our_side import OurSide
from bench.plot import Axis, plot, shares
from bench.record import Record

PEOPLE, WITHIN, AT_ONCE = 220, 30.0, 1.0
_ALONE, _ALONE_QUICK = 9, 5
_GRACE = "2h"
"""For which servers wait for their people: longer than all of it takes."""


def run(engine: Engine, options: Options) -> Record:
    """The crowd of half a minute, then with new servers the crowd of a second, then the same on the floor."""
    people, single = options.crowd(PEOPLE), options.count(_ALONE, _ALONE_QUICK)
    with _rung(engine, people + single) as side:
        alone = crowd.alone(side, single)
        spread = crowd.send(side, people, WITHIN)
    with _rung(engine, people + 1) as side:
        crowd.alone(side, 1)
        burst = crowd.send(side, people, AT_ONCE, calls=False)
    with peer_side.running_floor() as floor:
        crowd.alone(floor, 1)
        floor_burst = crowd.send(floor, people, AT_ONCE, calls=False)
        floor_again = crowd.send(floor, people, AT_ONCE, calls=False)
    parts = {"alone": alone, "30 s": [spread], "1 s": [burst], "1 s, floor": [floor_burst], "again": [floor_again]}
    return Record(
        name="crowd-warm",
        figures=figures(alone, spread, burst, floor_burst, floor_again),
        rows=[
            line for name, found in parts.items() for number, one in enumerate(found, 1)
            for line in crowd.rows(name, number, one)
        ],
        said=f"{people} new people, each into a server that a bell had started, with nothing in it but Jupyter; the "
        f"30 s beside {single} people one after the other, the one second beside the floor. The client: "
        f"{spread.told()}; in the one second: {burst.told()}; on the floor: {floor_burst.told()}.",
        machine=machine.facts(engine),
        beside="beside it",
        plots={"crowd-warm": _plot(people, alone, spread), "crowd-burst": _burst_plot(people, burst, floor_burst)},
        details={name: [one.causes() for one in found] for name, found in parts.items()},
    )  # fmt: skip


def figures(alone: Sequence[Crowd], spread: Crowd, burst: Crowd, floor: Crowd, again: Crowd) -> tuple[Figure, ...]:
    """The table."""
    single = tuple(wait for one in alone for wait in one.waits)
    middle = (median(single),) if single else ()
    one_alone, the_floor = "one person alone", "the floor"

    def each(crowd_: Crowd, measure: str) -> tuple[float, ...]:
        return (getattr(crowd_, measure) / len(crowd_.visits) * 1000,)

    return (
        Figure("One person alone: click → Lab page", single, unit="s"),
        Figure("Within 30 s: failed", (float(len(spread.failed)),), goal=at_most(0)),
        Figure("  p95 (aim: 0.3 s)", spread.wait(95), middle, "s", part(3), one_alone),
        Figure("  p50", spread.wait(50), middle, "s"),
        Figure("  p99", spread.wait(99), middle, "s"),
        Figure("  CPU of hub, proxy and edge per person", each(spread, "service_cpu"), unit="ms"),
        Figure("  CPU of the whole machine per person", each(spread, "machine_cpu"), unit="ms"),
        Figure("Within 1 s: failed", (float(len(burst.failed)),), (float(len(floor.failed)),), goal=at_most(0)),
        Figure("  p50", burst.wait(50), floor.wait(50), "s", part(1 / 3), the_floor),
        Figure("  p95", burst.wait(95), floor.wait(95), "s"),
        Figure("  the last one", burst.wait(100), floor.wait(100), "s"),
        Figure("  p50, the floor's servers run already", burst.wait(50), again.wait(50), "s"),
        Figure("  CPU of hub and proxies per person", each(burst, "service_cpu"), each(floor, "service_cpu"), "ms"),
        Figure("  CPU of the whole machine per person", each(burst, "machine_cpu"), each(floor, "machine_cpu"), "ms"),
        Figure("  CPU of the client per person", each(burst, "client_cpu"), each(floor, "client_cpu"), "ms"),
    )


@contextmanager
def _rung(engine: Engine, seats: int) -> Iterator[OurSide]:
    """Firstbell with so many seats whose servers a bell has started; nobody is on them yet."""
    # No more room than seats, so that none is started anew for each that is taken: the machine's memory is full.
    with our_side.running(engine, our_side.NO_KERNELS, room=seats) as side:
        rung = json.loads(side.cli("bell", "now", "--people", str(seats), "--grace", _GRACE, "--yes", "--json"))
        if rung["ready"] < seats:
            raise RuntimeError(f"of {seats} servers {rung['ready']} were started beforehand: {rung}")
        print(f"    {seats} servers started beforehand in {rung['seconds']:.0f} s", flush=True)
        yield side


def _plot(people: int, alone: Sequence[Crowd], spread: Crowd) -> str:
    series = {
        f"{people} people within {WITHIN:g} s": shares(spread.waits),
        "one person alone": shares([wait for one in alone for wait in one.waits]),
    }
    return _drawn(f"{people} people within {WITHIN:g} s into running servers", series)


def _burst_plot(people: int, burst: Crowd, floor: Crowd) -> str:
    series = {"Firstbell": shares(burst.waits), "plain JupyterHub, no-op spawner": shares(floor.waits)}
    return _drawn(f"{people} people within {AT_ONCE:g} s", series)


def _drawn(title: str, series: Mapping[str, Any]) -> str:
    there = {name: line for name, line in series.items() if line}
    return plot(title, Axis("seconds from the click"), Axis("% at the Lab page"), there)
