"""60 people within 15 seconds on a Swarm of three nodes, cold and into running servers, beside SwarmSpawner."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import crowd, machine, swarm_ours, swarm_peer
from bench.crowd import Crowd
from bench.engine import Engine
from bench.figures import Figure, Goal, at_most, part
from bench.options import Options
from bench.plot import Axis, plot, shares
from bench.record import Record
from bench.swarm_ours import SwarmSide
from tests.support.cluster import Cluster, attached, cluster

PEOPLE, WITHIN = 60, 15.0
PEER = "JupyterHub + SwarmSpawner"
_RUNS, _RUNS_QUICK = 3, 1
_BUSY = 0.3
"""Cores busy with something else before a crowd, above which the page says so."""

_EVERYTHING = "  CPU of the whole machine per person"
_WEIGHT = 8192
"""Of each node's containers, where one process of the machine's other work has 1024 (cgroup v1) or 100 (v2)."""


@dataclass(slots=True)
class Crowds:
    """What came, each in its turns."""

    cold: list[Crowd] = field(default_factory=list)
    peer_cold: list[Crowd] = field(default_factory=list)
    alone: list[Crowd] = field(default_factory=list)
    """One person into a running server, before each crowd that does so."""
    warm: list[Crowd] = field(default_factory=list)
    peer_warm: list[Crowd] = field(default_factory=list)
    spread: Sequence[int] = ()
    """Our servers on each node after the last cold crowd."""

    @property
    def parts(self) -> Mapping[str, Sequence[Crowd]]:
        """By their name in the CSV file."""
        return {
            "cold": self.cold,
            "cold, peer": self.peer_cold,
            "alone, warm": self.alone,
            "warm": self.warm,
            "warm, peer": self.peer_warm,
        }

    @property
    def busy(self) -> float:
        """The most cores that were busy with something else before a crowd."""
        return max(one.busy_before for part in self.parts.values() for one in part)


def run(engine: Engine, options: Options) -> Record:
    """In turn: our cold crowd and the peer's; then, side by side, ours into running servers and the peer's."""
    runs, people = options.count(_RUNS, _RUNS_QUICK), options.crowd(PEOPLE)
    with _nodes() as nodes, swarm_ours.running(nodes, room=people + 1) as ours:
        _go_first(nodes)
        crowds = _measured(nodes, ours, people, runs)
    return Record(
        name="swarm",
        figures=figures(crowds),
        rows=[
            line for name, part in crowds.parts.items() for number, one in enumerate(part, 1)
            for line in crowd.rows(name, number, one)
        ],
        said=_said(crowds, people, runs),
        machine=machine.facts(engine),
        beside=PEER,
        plots={"swarm-cold": _plot(people, crowds, "cold"), "swarm-warm": _plot(people, crowds, "warm")},
        details={
            name: [one.causes() | {"busy_before": one.busy_before} for one in part]
            for name, part in crowds.parts.items()
        },
    )  # fmt: skip


def _measured(nodes: Cluster, ours: SwarmSide, people: int, runs: int) -> Crowds:
    images = swarm_peer.build(ours.image)
    nodes.load(*images)
    found = Crowds()
    with ExitStack() as last:
        for _ in range(runs):
            last.close()
            crowd.alone(ours, 1)
            found.cold.append(crowd.send(ours, people, WITHIN))
            found.spread = ours.spread()
            ours.end_servers()
            peer = last.enter_context(swarm_peer.running(nodes, images))
            crowd.alone(peer, 1)
            found.peer_cold.append(crowd.send(peer, people, WITHIN))
        for _ in range(runs):
            ours.end_servers()
            ours.warm(people + 1)
            found.alone += crowd.alone(ours, 1)
            found.warm.append(crowd.send(ours, people, WITHIN))
            # The same people once more: their servers run.
            found.peer_warm.append(crowd.send(peer, people, WITHIN))
    return found


def _said(crowds: Crowds, people: int, runs: int) -> str:
    spread = ", ".join(map(str, crowds.spread))
    told = (
        f"{people} people within {WITHIN:g} s on a Swarm of three nodes that share this one machine, each a Docker "
        f"daemon in namespaces of its own; of each kind on each side {runs}, in turn. On the nodes ran "
        f"{spread} of our servers at the end of the last cold crowd. The client, ours cold: "
        f"{crowds.cold[-1].told()}; the peer's: {crowds.peer_cold[-1].told()}."
    )
    if crowds.busy > _BUSY:
        told += f" The machine had other work: up to {crowds.busy:.1f} of its cores were busy before a crowd came."
    return told


def figures(crowds: Crowds) -> tuple[Figure, ...]:
    """The table."""

    def line(title: str, measure: Any, kind: str, unit: str = "", goal: Goal | None = None) -> Figure:
        sides = (getattr(crowds, name) for name in (kind, f"peer_{kind}"))
        ours, peers = (tuple(value for one in side for value in measure(one)) for side in sides)
        return Figure(title, ours, peers, unit, goal)

    found = (
        line("Cold: failed", _failed, "cold", goal=at_most(0)),
        line("  p50", _wait(50), "cold", "s", part(1 / 4)),
        line("  p95", _wait(95), "cold", "s", part(1 / 2)),
        line("  the last one", _wait(100), "cold", "s"),
        line("  CPU of hub, proxies, tunnel and links per person", _each("service_cpu"), "cold", "ms"),
        line(_EVERYTHING, _each("machine_cpu"), "cold", "ms"),
        line("Into running servers: failed", _failed, "warm", goal=at_most(0)),
        line("  p50", _wait(50), "warm", "s"),
        line("  p95", _wait(95), "warm", "s", part(1)),
        line("  the last one", _wait(100), "warm", "s"),
        line("  CPU of hub, proxies, tunnel and links per person", _each("service_cpu"), "warm", "ms"),
        line(_EVERYTHING, _each("machine_cpu"), "warm", "ms"),
        Figure("One person alone into a running server", tuple(w for one in crowds.alone for w in one.waits), unit="s"),
    )
    # Of a machine with other work they would be mostly that work's.
    return tuple(one for one in found if crowds.busy <= _BUSY or one.title != _EVERYTHING)


@contextmanager
def _nodes() -> Iterator[Cluster]:
    """Three nodes for the time being, or those of FIRSTBELL_CLUSTER, which `tests/cluster/swarm up` has made."""
    if name := os.environ.get("FIRSTBELL_CLUSTER"):
        yield attached(name)
        return
    with cluster("bench") as made:
        yield made


def _go_first(nodes: Cluster) -> None:
    """Let the nodes' containers, both sides' alike, have processors before whatever else this machine does."""
    for node in nodes.nodes:
        for place in ("cpu/{}/cpu.shares", "{}/cpu.weight"):
            group = Path("/sys/fs/cgroup") / place.format(node.net.space(node.number))
            if group.exists():
                group.write_text(str(_WEIGHT))


def _failed(one: Crowd) -> tuple[float, ...]:
    return (float(len(one.failed)),)


def _wait(percent: float) -> Any:
    return lambda one: one.wait(percent)


def _each(measure: str) -> Any:
    """Milliseconds per person."""
    return lambda one: (getattr(one, measure) / len(one.visits) * 1000,)


def _plot(people: int, crowds: Crowds, kind: str) -> str:
    waits = {
        "Firstbell": [wait for one in getattr(crowds, kind) for wait in one.waits],
        PEER: [wait for one in getattr(crowds, f"peer_{kind}") for wait in one.waits],
    }
    return plot(
        f"{people} people within {WITHIN:g} s, {'cold' if kind == 'cold' else 'into running servers'}, on three nodes",
        Axis("seconds from the click", log=True),
        Axis("% at the Lab page"),
        {name: shares(of) for name, of in waits.items() if of},
    )
