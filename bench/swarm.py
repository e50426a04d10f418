"""60 people within 15 seconds on a Swarm of three nodes, cold and into running servers, beside SwarmSpawner."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from bench import crowd, machine, swarm_ours, swarm_peer
from bench.crowd import Crowd
from bench.engine import Engine
from bench.figures import Figure, at_most
from bench.options import Options
from bench.plot import Axis, plot, shares
from bench.record import Record
from tests.support.cluster import Cluster, cluster

PEOPLE, WITHIN = 60, 15.0
PEER = "JupyterHub + SwarmSpawner"


def run(engine: Engine, options: Options) -> Record:
    """Each side in turn on the same three nodes: one alone, the crowd cold, then a crowd into running servers."""
    people = options.crowd(PEOPLE)
    with cluster("bench") as nodes:
        cold, warm, spread, image = _ours(nodes, people)
        images = swarm_peer.build(image)
        nodes.load(*images)
        with swarm_peer.running(nodes, images) as peer:
            crowd.alone(peer, 1)
            peer_cold = crowd.send(peer, people, WITHIN)
            # The same people once more: their servers run.
            peer_warm = crowd.send(peer, people, WITHIN)
    parts = {"cold": cold, "cold, peer": peer_cold, "warm": warm, "warm, peer": peer_warm}
    return Record(
        name="swarm",
        figures=figures(cold, warm, peer_cold, peer_warm),
        rows=[line for name, one in parts.items() for line in crowd.rows(name, 1, one)],
        said=f"{people} people within {WITHIN:g} s on a Swarm of three nodes that share this one machine, each node a "
        f"Docker daemon in namespaces of its own. Our {sum(spread)} servers beforehand were "
        f"{', '.join(map(str, spread))} on the nodes. The peer keeps no homes here; ours are volumes.",
        machine=machine.facts(engine),
        beside=PEER,
        plots={"swarm": _plot(people, cold, peer_cold)},
        details={name: one.causes() for name, one in parts.items()},
    )


def figures(cold: Crowd, warm: Crowd, peer_cold: Crowd, peer_warm: Crowd) -> tuple[Figure, ...]:
    """The table."""
    return (
        Figure("Cold: failed", (float(len(cold.failed)),), (float(len(peer_cold.failed)),), goal=at_most(0)),
        *(Figure(f"  p{at}", cold.wait(at), peer_cold.wait(at), "s") for at in (50, 95)),
        Figure("  the last one", cold.wait(100), peer_cold.wait(100), "s"),
        Figure("  CPU of the whole machine per person", *_each("machine_cpu", cold, peer_cold), unit="ms"),
        Figure(
            "Into running servers: failed", (float(len(warm.failed)),), (float(len(peer_warm.failed)),), goal=at_most(0)
        ),
        *(Figure(f"  p{at}", warm.wait(at), peer_warm.wait(at), "s") for at in (50, 95)),
        Figure("  the last one", warm.wait(100), peer_warm.wait(100), "s"),
        Figure("  CPU of hub, proxies, tunnel and links per person", *_each("service_cpu", warm, peer_warm), unit="ms"),
    )


def _ours(nodes: Cluster, people: int) -> tuple[Crowd, Crowd, Sequence[int], str]:
    """The cold crowd, the warm one, the running servers of each node before it, and the course's image."""
    with swarm_ours.running(nodes) as side:
        crowd.alone(side, 1)
        cold = crowd.send(side, people, WITHIN)
    # Set up anew: nobody's server of before takes memory, none is warm by chance.
    with swarm_ours.running(nodes, room=people + 1) as side:
        side.warm(people + 1)
        spread = side.spread()
        crowd.alone(side, 1)
        warm = crowd.send(side, people, WITHIN)
        label = "label=firstbell.role=image"
        image = nodes.manager.docker("images", "--filter", label, "--format", "{{.Repository}}:{{.Tag}}").split()[0]
        _fetch(nodes, image)
    return cold, warm, spread, image


def _fetch(nodes: Cluster, image: str) -> None:
    """Bring the course's image to this machine's engine, where the peer's is built on it."""
    with subprocess.Popen(["docker", "--host", nodes.manager.host, "save", image], stdout=subprocess.PIPE) as save:
        subprocess.run(["docker", "load"], stdin=save.stdout, check=True, capture_output=True)


def _each(measure: str, ours: Crowd, peers: Crowd) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Milliseconds per person, ours and the peer's."""
    mine, theirs = (getattr(one, measure) / len(one.visits) * 1000 for one in (ours, peers))
    return (mine,), (theirs,)


def _plot(people: int, ours: Crowd, peers: Crowd) -> str:
    series: Mapping[str, Any] = {"Firstbell": shares(ours.waits), PEER: shares(peers.waits)}
    return plot(
        f"{people} people within {WITHIN:g} s, cold, on three nodes",
        Axis("seconds from the click", log=True),
        Axis("% at the Lab page"),
        {name: line for name, line in series.items() if line},
    )
