"""What a hub has beside the rest where its servers are on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firstbell.engine.base import Engine
from firstbell.hub.homes.leases import Leases
from firstbell.hub.homes.ledger import HomeLedger
from firstbell.hub.memory.machine import Machine
from firstbell.hub.nodes.images import NodeImages
from firstbell.hub.nodes.room import NodeRoom
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.starts.queue import slots_for
from firstbell.hub.starts.under_way import Starts
from firstbell.model.cluster import tunnel_port
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime, listening_port
from firstbell.plan.lease import lease_seconds


@dataclass(frozen=True, slots=True)
class Cluster:
    """One per hub whose engine is a cluster."""

    nodes: NodesWatch
    room: NodeRoom
    homes: HomeLedger | None
    """Where each home is; None where every node can mount all of them."""
    images: NodeImages
    leases: Leases | None
    """Who may write such a home; None where homes are on one node each."""


def make_cluster(  # noqa: PLR0917 - the parts of a hub, once
    course: Course,
    image: str,
    engine: Engine,
    store: PeopleStore,
    starts: Starts,
    machine: Machine,
    nodes: NodesWatch,
    on_nodes: Callable[[], Mapping[str, str]],
) -> Cluster:
    """The parts that one machine does not have."""
    ledger = None if course.homes.store != "volume" else HomeLedger(engine, course.name, store, nodes)
    homes: Callable[[str], str] = ledger.node_of if ledger else lambda _: ""
    images = NodeImages(engine, image, nodes)
    room = NodeRoom(nodes, starts, machine, course.server.memory, slots_for, homes, on_nodes, lambda: images.have)
    lease = lease_seconds(course)
    return Cluster(nodes, room, ledger, images, Leases(lease) if lease else None)


def server_port(course: Course, runtime: Runtime) -> int:
    """The port at which all servers of the course are reached: their own, or that of the course's tunnel."""
    return tunnel_port(runtime.subnet) if runtime.engine_kind == "swarm" else listening_port(course.server.port)
