"""One person, cold, beside the peer in turn: time to the Lab page, memory of the idle server, CPU."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from statistics import median
from typing import Any

from bench import machine, our_side, peer_side
from bench.engine import Engine
from bench.figures import Figure, Goal, at_most, part
from bench.measure import Visit, visit
from bench.options import Options
from bench.record import Record
from bench.side import Side

_RUNS = 9
_RUNS_QUICK = 3
_PATIENCE = 2
"""Where the machine is disturbed, up to this many times as many turns are taken as were asked for."""
_WARM_UP = 0
"""The number of each side's first visit, which is not counted: it fills the page cache for those after it."""
DISTURBED = 0.5
"""Cores busy with something else before a click, above which the turn does not count."""
_MB = 1e6

STAGES = (
    ("form answered", "at_answer"),
    ("spawn page shown", "at_page"),
    ("container created", "at_create"),
    ("container started", "at_start"),
    ("server listens", "at_listening"),
    ("browser told it is ready", "at_ready"),
    ("Lab page", "click_to_lab"),
    ("Lab's first calls answered", "click_to_api"),
)


def run(engine: Engine, options: Options) -> Record:
    """Let both sides take turns, visit by visit."""
    runs = options.count(_RUNS, _RUNS_QUICK)
    visits: list[Visit] = []
    timelines: dict[str, Any] = {}
    with ExitStack() as stack:
        sides = _start(stack, engine)
        for number in range(1, _PATIENCE * runs + 1):
            for side in sides:
                measured, timelines[side.name] = visit(engine, side, number)
                visits.append(measured)
                _say(measured)
            if len({v.run for v in undisturbed(visits)}) == runs:
                break
    counted = undisturbed(visits) or visits
    busy = "" if undisturbed(visits) else ", all of them while the machine was busy with other things too"
    return Record(
        name="start",
        figures=figures(counted),
        rows=[asdict(v) for v in visits],
        said=f"{len({v.run for v in counted})} visits of each, taken in turn{busy}.",
        machine=machine.facts(engine),
        tables=(f"Where the time goes (medians):\n\n{stages(counted)}",),
        details={"last_visit_of_each_side": timelines},
    )


def figures(visits: Sequence[Visit]) -> tuple[Figure, ...]:
    """The visits as a table."""
    ours = [v for v in visits if v.side == "firstbell"]
    peers = [v for v in visits if v.side == "peer"]
    unprepared = [v for v in visits if v.side == "unprepared"]

    def line(
        title: str,
        column: str,
        unit: str = "s",
        scale: float = 1.0,
        goal: Goal | None = None,
        *,
        first: Sequence[Visit] = ours,
    ) -> Figure:
        values = [tuple(getattr(v, column) / scale for v in side) for side in (first, peers)]
        return Figure(title, values[0], values[1], unit, goal)

    return (
        line("Cold click → Lab page", "click_to_lab", goal=part(1 / 5)),
        line("  where no container waits for them", "click_to_lab", first=unprepared),
        line("Memory of an idle server", "memory", "MB", _MB, at_most(45)),
        line("CPU to start one server", "start_cpu", goal=part(1 / 3)),
        line("  of which the server", "server_cpu"),
        line("  of which hub and proxies", "service_cpu"),
        line("Click → Lab's first calls answered", "click_to_api"),
        line("Sum of resident sets, idle server", "resident", "MB", _MB),
        line("Anonymous memory, idle server", "anonymous", "MB", _MB),
        line("CPU of the server until it has settled", "settled_cpu"),
        line("CPU of the whole machine, click → Lab page", "machine_cpu"),
    )


def undisturbed(visits: Sequence[Visit]) -> list[Visit]:
    """The visits of those turns in which the machine was quiet for both sides."""
    disturbed = {v.run for v in visits if v.busy_before > DISTURBED}
    return [v for v in visits if v.run not in disturbed]


def stages(visits: Sequence[Visit]) -> str:
    """Where the time goes, in Markdown: median seconds since the click."""
    rows = [
        "| seconds since the click | Firstbell | where no container waits | JupyterHub + DockerSpawner |",
        "|:--|--:|--:|--:|",
    ]
    for title, column in STAGES:
        cells = []
        for side in ("firstbell", "unprepared", "peer"):
            seen = [value for v in visits if v.side == side and (value := getattr(v, column)) > 0]
            cells.append(f"{median(seen):.2f}" if seen else "–")
        rows.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _start(stack: ExitStack, engine: Engine) -> list[Side]:
    """Start what is to be measured and let each side have its first visit."""
    ours = stack.enter_context(our_side.running(engine, our_side.NO_KERNELS))
    visit(engine, ours, _WARM_UP)
    peer = stack.enter_context(peer_side.running(engine, ours.image()))
    visit(engine, peer, _WARM_UP)
    return [ours, our_side.Unprepared(ours.url, ours.engine, ours.folder), peer]


def _say(measured: Visit) -> None:
    print(
        f"{measured.run:3d} {measured.side:10} click → Lab {measured.click_to_lab:6.2f} s   "
        f"memory {measured.memory / 1e6:4.0f} MB   CPU {measured.start_cpu:5.2f} s "
        f"(server {measured.server_cpu:.2f})   busy before {measured.busy_before:.2f}",
        flush=True,
    )
