"""What is known of a cluster's nodes when the doctor looks at them, or before one is prepared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firstbell.model.membership import ManagerState
from firstbell.model.observed import NodeState
from firstbell.plan.doctor_facts import Disk

SWARM_PORT = 2377
"""Of managers, for everybody."""
GOSSIP_PORT = 7946
"""Swarm's own; courses, which have no overlay network, do not need it."""


class PortAnswer(StrEnum):
    """What came back from a port."""

    OPEN = "open"
    REFUSED = "refused"
    """The machine answers, and nothing listens there."""
    SILENT = "silent"
    """Nothing, or that there is no way: a packet filter, or no route."""


@dataclass(frozen=True, slots=True)
class PortLook:
    """A port of a node, tried from another."""

    source: str
    target: str
    """Names of nodes."""
    address: str
    port: int
    answer: PortAnswer
    why: str = ""


@dataclass(frozen=True, slots=True)
class NodeLook:
    """One node; None and empty mean that it could not be found out."""

    node: NodeState
    why_away: str = ""
    """Why its own daemon could not be asked."""
    architecture: str = ""
    """The kernel's word: x86_64, aarch64, …"""
    disk: Disk | None = None
    """Where its engine keeps everything."""
    skew: float | None = None
    """Seconds by which its clock is ahead of the manager's."""
    ports: tuple[PortLook, ...] = ()
    """Tried from here."""
    missing_images: tuple[str, ...] = ()
    missing_networks: tuple[str, ...] = ()
    """Names of courses whose network it has not."""
    servers: int = 0
    homes: int = 0
    may_gain_rights: bool = False
    """Whether its daemon lets a service's programs gain rights, as sudo does: those before Engine 25 do by default."""

    @property
    def name(self) -> str:
        """The node's."""
        return self.node.name


@dataclass(frozen=True, slots=True)
class CourseAddresses:
    """How many servers of a course a node has addresses for."""

    course: str
    subnet: str
    servers: int


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """All nodes, and what they are together."""

    nodes: tuple[NodeLook, ...] = ()
    managers: tuple[ManagerState, ...] = ()
    is_autolocked: bool = False
    courses: tuple[CourseAddresses, ...] = ()
    keys_days: int | None = None
    """Days until the first of the keys by which nodes trust each other ends; None where there are none."""
    authority_days: int | None = None
    """Days until their authority ends."""

    def look(self, name: str) -> NodeLook | None:
        """The node of that name."""
        return next((look for look in self.nodes if look.name == name), None)
