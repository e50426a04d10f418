"""From opening a notebook to its first cell's result, in a server that runs; and what a server with a kernel needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from bench import machine, our_side, peer_side
from bench.engine import Engine
from bench.figures import Figure, at_most, part
from bench.measure import wait_for_quiet, wait_until_settled
from bench.options import Options
from bench.person import OnePerson
from bench.record import Record
from bench.side import Side

_RUNS, _RUNS_QUICK = 7, 3
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Opened:
    """A new person's first notebook: seconds from opening it, bytes of the server."""

    side: str
    run: int
    session: float
    """Until the notebook is read and its session made."""
    kernel: float
    """Until the kernel has answered."""
    first_cell: float
    """Until the first cell's result is there."""
    memory_before: int
    """Of the settled server, before: ours has a kernel ready by then."""
    processes_before: int
    memory_after: int
    """Of the settled server, afterwards: with the notebook's kernel, ours with the next one ready, too."""
    cpu: float
    """Of the server, from opening to result."""
    busy_before: float


def run(engine: Engine, options: Options) -> Record:
    """The sides take turns, a new person each time."""
    runs = options.count(_RUNS, _RUNS_QUICK)
    opened: list[Opened] = []
    with ExitStack() as stack:
        ours = stack.enter_context(our_side.running(engine))
        sides: list[Side] = [ours, stack.enter_context(peer_side.running(engine, ours.image()))]
        for number in range(runs + 1):
            for side in sides:
                found = _open(engine, side, number)
                print(f"  {found}", flush=True)
                # The first of each fills the page cache.
                opened += [found] if number else []
    return Record(
        name="notebook",
        figures=figures(opened),
        rows=[asdict(one) for one in opened],
        said=f"{runs} new people on each side, in turn; the course as it comes, with warm kernels.",
        machine=machine.facts(engine),
    )


def figures(opened: Sequence[Opened]) -> tuple[Figure, ...]:
    """The table."""
    ours = [one for one in opened if one.side == "firstbell"]
    peers = [one for one in opened if one.side == "peer"]
    return (
        Figure("Open a notebook → first cell's result", *_both(ours, peers, "first_cell"), unit="s", goal=part(1 / 3)),
        Figure("  session made", *_both(ours, peers, "session"), unit="s"),
        Figure("  kernel answers", *_both(ours, peers, "kernel"), unit="s"),
        Figure("  CPU of the server", *_both(ours, peers, "cpu"), unit="s"),
        Figure(
            "Memory of an idle server with a Python kernel",
            tuple(one.memory_before / _MB for one in ours),
            tuple(one.memory_after / _MB for one in peers),
            "MB",
            at_most(95),
        ),
        Figure("  afterwards, ours with the next kernel ready", *_both(ours, peers, "memory_after", _MB), unit="MB"),
    )


def _both(
    ours: Sequence[Opened], peers: Sequence[Opened], column: str, scale: float = 1.0
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    sides = [tuple(float(getattr(one, column)) / scale for one in side) for side in (ours, peers)]
    return sides[0], sides[1]


def _open(engine: Engine, side: Side, number: int) -> Opened:
    person = OnePerson(side, number)
    person.come()
    server = side.server()
    wait_until_settled(engine, server)
    before, processes = engine.usage(server), engine.processes(server)
    busy = wait_for_quiet()
    visit = person.open_notebook()
    cpu = engine.usage(server).cpu - before.cpu
    wait_until_settled(engine, server)
    after = engine.usage(server)
    person.leave()
    return Opened(
        side=side.name,
        run=number,
        session=visit.marks["notebook"],
        kernel=visit.marks["kernel"],
        first_cell=visit.marks["first_cell"],
        memory_before=before.memory,
        processes_before=processes,
        memory_after=after.memory,
        cpu=round(cpu, 3),
        busy_before=round(busy, 2),
    )
