"""30 people within five seconds, cold, beside the peer: how long, in which order, and what the waiting were told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from bench import crowd, machine, our_side, peer_side, stats
from bench.crowd import Crowd
from bench.engine import Engine
from bench.figures import Figure, at_least, at_most, part
from bench.options import Options
from bench.plot import Axis, plot, shares
from bench.record import Record
from bench.side import Visited
from firstbell.hub.starts.queue import slots_for

PEOPLE, WITHIN = 30, 5.0
_RUNS, _RUNS_QUICK = 3, 1


def run(engine: Engine, options: Options) -> Record:
    """Each side in turn, set up anew for each crowd."""
    runs, people = options.count(_RUNS, _RUNS_QUICK), options.crowd(PEOPLE)
    ours: list[Crowd] = []
    peers: list[Crowd] = []
    for _ in range(runs):
        with our_side.running(engine, our_side.NO_KERNELS) as side:
            image = side.image()
            ours.append(_send(side, people))
        with peer_side.running(engine, image) as peer:
            peers.append(_send(peer, people))
    lines: list[Mapping[str, Any]] = []
    for number, pair in enumerate(zip(ours, peers, strict=True), 1):
        lines += [
            line
            for name, one in zip(("firstbell", "peer"), pair, strict=True)
            for line in crowd.rows(name, number, one)
        ]
    return Record(
        name="crowd-cold",
        figures=figures(ours, peers),
        rows=lines,
        said=f"{people} people within {WITHIN:g} s, nobody's server runs; {runs} such crowds on each side, in turn. "
        f"The client, ours: {ours[-1].told()}; the peer's: {peers[-1].told()}.",
        machine=machine.facts(engine),
        plots={"crowd-cold": _plot(people, ours, peers)},
        details={"causes": {"firstbell": ours[-1].causes(), "peer": peers[-1].causes()}},
    )


def figures(ours: Sequence[Crowd], peers: Sequence[Crowd]) -> tuple[Figure, ...]:
    """The table."""

    def waits(title: str, percent: float, goal: float = 0) -> Figure:
        sides = [tuple(value for one in side for value in one.wait(percent)) for side in (ours, peers)]
        return Figure(title, sides[0], sides[1], "s", part(goal) if goal else None)

    def each(measure: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return tuple(map(measure, ours)), tuple(map(measure, peers))

    slots = slots_for(os.cpu_count() or 1)
    return (
        waits("Click → Lab page, p50", 50, 1 / 4),
        waits("  the quickest", 0),
        waits("  p95", 95),
        waits("  the last one", 100),
        Figure("Failed", *each(lambda one: float(len(one.failed))), goal=at_most(0)),
        Figure("Order kept: correlation of ranks, click and Lab page", *each(order), goal=at_least(0.95)),
        Figure(
            f"  most who came later and were in earlier ({slots} start at once)",
            *each(most_overtaken),
            goal=at_most(slots),
        ),
        Figure("Waited for their turn", *each(lambda one: float(len(crowd.waited(one.visits))))),
        Figure("  of whom told their place and an estimate", *each(explained), unit="%", goal=at_least(100)),
        Figure("CPU of hub and proxies", *each(lambda one: one.service_cpu), unit="s"),
        Figure("CPU of the whole machine", *each(lambda one: one.machine_cpu), unit="s"),
    )


def order(one: Crowd) -> float:
    """How well the order of the Lab pages is that of the clicks."""
    there = [visit for visit in one.visits if visit.is_well]
    return stats.rank_correlation([crowd.clicked(v) for v in there], [crowd.done(v) for v in there]) if there else 0.0


def most_overtaken(one: Crowd) -> float:
    """The most people who clicked later than somebody and were there earlier."""
    there = [visit for visit in one.visits if visit.is_well]
    return float(max(stats.overtaken([crowd.clicked(v) for v in there], [crowd.done(v) for v in there]), default=0))


def explained(one: Crowd) -> float:
    """Per cent of those who waited for their turn; 100 where nobody did."""
    waiting = crowd.waited(one.visits)
    return 100 * sum(map(crowd.is_explained, waiting)) / len(waiting) if waiting else 100.0


def _send(side: Visited, people: int) -> Crowd:
    crowd.alone(side, 1)
    return crowd.send(side, people, WITHIN)


def _plot(people: int, ours: Sequence[Crowd], peers: Sequence[Crowd]) -> str:
    series = {
        "Firstbell": shares([wait for one in ours for wait in one.waits]),
        "JupyterHub + DockerSpawner": shares([wait for one in peers for wait in one.waits]),
    }
    return plot(
        f"{people} people within {WITHIN:g} s, cold",
        Axis("seconds from the click", log=True),
        Axis("% at the Lab page"),
        {name: line for name, line in series.items() if line},
    )  # fmt: skip
