"""What is done with the machines of a cluster, beside what `up` does for a course."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BringImage:
    """Save an image on the manager and load it on a machine that reaches no registry yet."""

    ref: str
    machine: str

    def __str__(self) -> str:
        return f"bring {self.ref} to {self.machine}"


@dataclass(frozen=True, slots=True)
class CheckMachine:
    """See from the machine and from the nodes that there is room, and that they reach each other."""

    machine: str
    image: str

    def __str__(self) -> str:
        return f"check disk and ports of {self.machine}"


@dataclass(frozen=True, slots=True)
class JoinSwarm:
    """Make a machine a worker of the Swarm."""

    machine: str
    managers: tuple[str, ...]
    """`ADDRESS:PORT` each."""

    def __str__(self) -> str:
        return f"let {self.machine} join the Swarm of {', '.join(m.rpartition(':')[0] for m in self.managers)}"


@dataclass(frozen=True, slots=True)
class AwaitLink:
    """Wait until a node's link answers the manager."""

    node: str

    def __str__(self) -> str:
        return f"wait for the link of {self.node}"


@dataclass(frozen=True, slots=True)
class PullOnNode:
    """Have a node pull an image from the cluster's registry."""

    ref: str
    node: str

    def __str__(self) -> str:
        return f"pull {self.ref.partition('@')[0]} on {self.node}"


@dataclass(frozen=True, slots=True)
class GiveNetworks:
    """Make the networks of every course on a node."""

    node: str

    def __str__(self) -> str:
        return f"make the courses' networks on {self.node}"


@dataclass(frozen=True, slots=True)
class UseNode:
    """Let a node have new servers (active), or none (pause): those that run there stay."""

    node: str
    availability: str

    def __str__(self) -> str:
        return f"{'use' if self.availability == 'active' else 'start no new servers on'} {self.node}"


@dataclass(frozen=True, slots=True)
class StopServersOn:
    """End servers on a node; their files stay."""

    node: str
    course: str
    users: tuple[str, ...]
    why: str = "idle"

    def __str__(self) -> str:
        return f"stop the {self.why} servers of {', '.join(self.users)} on {self.node}"


@dataclass(frozen=True, slots=True)
class MoveHome:
    """Copy a home to another node, compare, and let it be there from then on."""

    course: str
    user: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"move the home of {self.user} ({self.course}) from {self.source} to {self.target}"


@dataclass(frozen=True, slots=True)
class ReleaseNode:
    """Take label and number off a node, so that guard, link and tunnel leave it, and wait until they have."""

    node: str

    def __str__(self) -> str:
        return f"take guard and link off {self.node}"


@dataclass(frozen=True, slots=True)
class CleanMachine:
    """Remove our networks and images from a machine."""

    machine: str
    networks: tuple[str, ...]
    images: tuple[str, ...]

    def __str__(self) -> str:
        return f"remove {len(self.networks)} networks and {len(self.images)} images of ours from {self.machine}"


@dataclass(frozen=True, slots=True)
class LeaveSwarm:
    """Let a machine leave the Swarm."""

    machine: str

    def __str__(self) -> str:
        return f"let {self.machine} leave the Swarm"


@dataclass(frozen=True, slots=True)
class StrikeNode:
    """Take a node that has left, or is away for good, off the Swarm's list."""

    node: str

    def __str__(self) -> str:
        return f"strike {self.node} off the Swarm's list"


@dataclass(frozen=True, slots=True)
class RenewKeys:
    """Make an authority and keys anew, and keep them on a manager."""

    node: str

    def __str__(self) -> str:
        return f"make new keys of the cluster, kept on {self.node}"


@dataclass(frozen=True, slots=True)
class HandOutKeys:
    """Give a service the new keys of its role."""

    service: str

    def __str__(self) -> str:
        return f"give {self.service} its new keys"


NodeStep = (
    BringImage
    | CheckMachine
    | JoinSwarm
    | AwaitLink
    | PullOnNode
    | GiveNetworks
    | UseNode
    | StopServersOn
    | MoveHome
    | ReleaseNode
    | CleanMachine
    | LeaveSwarm
    | StrikeNode
    | RenewKeys
    | HandOutKeys
)
