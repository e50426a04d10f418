"""What exists, in one snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from firstbell.model.container import frozen
from firstbell.model.names import (
    LABEL_COURSE,
    LABEL_ROLE,
    LABEL_SPEC,
    LABEL_USER,
    LABEL_VERSION,
    is_aside,
    is_standby,
)


class Phase(StrEnum):
    """How a container is. UNKNOWN is what an engine says when it could not find out; it never means stopped."""

    PENDING = "pending"
    """Given to a cluster, not yet on a node, or refused by it; `error` says why."""
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as the engine sees it."""

    name: str
    phase: Phase
    id: str = ""
    image: str = ""
    labels: Mapping[str, str] = field(default_factory=frozen)
    address: str = ""
    """IPv4 on its network; empty when it has none."""
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    """The engine's own words when a start failed."""
    started_at: str = ""
    """RFC 3339, UTC."""
    node: str = ""
    """The name of the node it is on; empty on one machine."""

    @property
    def is_standby(self) -> bool:
        """Whether it waits to become the server of somebody who has not come yet."""
        return is_standby(self.labels.get(LABEL_COURSE, ""), self.name)

    @property
    def role(self) -> str:
        """The `firstbell.role` label."""
        return self.labels.get(LABEL_ROLE, "")

    @property
    def user(self) -> str:
        """The `firstbell.user` label."""
        return self.labels.get(LABEL_USER, "")

    @property
    def spec_hash(self) -> str:
        """The `firstbell.spec` label."""
        return self.labels.get(LABEL_SPEC, "")

    @property
    def version(self) -> str:
        """The `firstbell.version` label: of the Firstbell that made it."""
        return self.labels.get(LABEL_VERSION, "")


@dataclass(frozen=True, slots=True)
class VolumeState:
    """A named volume."""

    name: str
    labels: Mapping[str, str] = field(default_factory=frozen)
    created_at: str = ""
    node: str = ""
    """The name of the node that has it; empty on one machine."""

    @property
    def user(self) -> str:
        """The `firstbell.user` label."""
        return self.labels.get(LABEL_USER, "")

    @property
    def role(self) -> str:
        """The `firstbell.role` label."""
        return self.labels.get(LABEL_ROLE, "")


@dataclass(frozen=True, slots=True)
class NetworkState:
    """A network with its addresses."""

    name: str
    gateway: str = ""
    subnet: str = ""
    labels: Mapping[str, str] = field(default_factory=frozen)
    nodes: tuple[str, ...] = ()
    """Of a cluster, the names of the nodes that have it; none on one machine."""


@dataclass(frozen=True, slots=True)
class ImageState:
    """An image present on the engine: its identity and what a container of it inherits."""

    ref: str
    id: str
    env: Mapping[str, str] = field(default_factory=frozen)
    user: str = ""
    workdir: str = ""
    labels: Mapping[str, str] = field(default_factory=frozen)
    size: int = 0
    created_at: str = ""
    architecture: str = ""
    """Docker's word: amd64, arm64, …"""
    digests: tuple[str, ...] = ()
    """`NAME@sha256:…` for each repository of a registry that is known to have it."""
    nodes: tuple[str, ...] = ()
    """Of a cluster, the names of the nodes that have it, as far as they could be asked; none on one machine."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of a cluster, as its manager and its own daemon see it."""

    name: str
    id: str
    address: str
    """IPv4 at which the other nodes reach it."""
    number: int = 0
    """Ours, from 1, given when it was prepared; 0 before. It is a part of the addresses of servers on the node."""
    manager: bool = False
    ready: bool = True
    """Whether the cluster hears from it."""
    availability: str = "active"
    """Docker's word: active, pause, drain."""
    linked: bool = False
    """Whether our link on it answers, so that its own daemon can be asked."""
    version: str = ""
    """Of its engine."""
    cpus: int = 0
    memory: int = 0
    """Bytes."""
    memory_available: int = 0
    """Bytes, as the kernel has it; 0 where the node could not be asked."""
    keeps_keys: bool = False
    """Whether it is the manager that keeps the cluster's keys."""

    @property
    def prepared(self) -> bool:
        """Whether it was made ready for courses."""
        return self.number > 0

    @property
    def usable(self) -> bool:
        """Whether a server can be started there now."""
        return self.prepared and self.ready and self.linked and self.availability == "active"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The machine behind an engine."""

    kind: str = "docker"
    version: str = ""
    api_version: str = ""
    operating_system: str = ""
    architecture: str = ""
    cpus: int = 1
    memory: int = 0
    """Bytes."""
    storage_driver: str = ""
    data_root: str = ""
    swarm: bool = False
    swarm_state: str = ""
    """Docker's word: inactive, pending, active, error, locked; for those that are no managers, `worker`."""
    node_id: str = ""
    """Of the node whose daemon was asked; empty outside of a cluster."""
    address: str = ""
    """IPv4 at which the other nodes reach it; empty outside of a cluster."""
    managers: tuple[str, ...] = ()
    """Addresses (`10.0.0.1:2377`) of the managers it knows."""
    registry: str = ""
    """The host where the engine looks for an image whose name has none."""
    registry_address: str = ""
    """Its full address, under which `docker login` keeps its login."""
    warnings: tuple[str, ...] = ()
    nodes: tuple[NodeState, ...] = ()
    """Of a cluster; none on one machine."""

    @property
    def own_node(self) -> NodeState | None:
        """The node whose daemon was asked; None outside of a cluster."""
        return next((node for node in self.nodes if node.id == self.node_id), None)

    @property
    def together(self) -> EngineFacts:
        """Of a cluster, with the memory and cores that its usable nodes have between them; of one machine, itself."""
        usable = [node for node in self.nodes if node.usable]
        if not usable:
            return self
        return replace(self, memory=sum(node.memory for node in usable), cpus=sum(node.cpus for node in usable))

    @property
    def is_desktop(self) -> bool:
        """Docker Desktop runs the engine in a virtual machine, whose network is not the host's."""
        return "Docker Desktop" in self.operating_system


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything of one course on one engine, read in one go."""

    course: str
    engine: EngineFacts = field(default_factory=EngineFacts)
    containers: tuple[ContainerState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()
    networks: tuple[NetworkState, ...] = ()
    images: tuple[ImageState, ...] = ()
    """Images that carry any of our labels."""
    used_subnets: tuple[str, ...] = ()
    """Subnets (CIDR) of every network of the engine, ours or not; `work` adds the host's routes where it can."""

    def container(self, name: str) -> ContainerState:
        """The container of that name; phase MISSING if there is none."""
        return next((c for c in self.containers if c.name == name), ContainerState(name, Phase.MISSING))

    def of_role(self, role: str) -> tuple[ContainerState, ...]:
        """All containers of a role, without those that wait for somebody who has not come yet or were set aside."""
        return tuple(c for c in self.containers if c.role == role and not c.is_standby and not is_aside(c.name))

    @property
    def asides(self) -> tuple[ContainerState, ...]:
        """Parts of the course of an earlier version, stopped and kept to go back to."""
        return tuple(c for c in self.containers if is_aside(c.name))

    @property
    def standbys(self) -> tuple[ContainerState, ...]:
        """Containers that wait for somebody who has not come yet."""
        return tuple(c for c in self.containers if c.is_standby)

    def images_of_role(self, role: str) -> tuple[ImageState, ...]:
        """All images of a role, the newest first."""
        ours = [image for image in self.images if image.labels.get(LABEL_ROLE) == role]
        return tuple(sorted(ours, key=lambda image: image.created_at, reverse=True))

    def newest_image(self, role: str) -> str:
        """The newest image of a role, by reference; empty if there is none."""
        return next((image.ref for image in self.images_of_role(role)), "")

    def volume(self, name: str) -> VolumeState | None:
        """The volume of that name."""
        return next((v for v in self.volumes if v.name == name), None)

    def network(self, name: str) -> NetworkState | None:
        """The network of that name."""
        return next((n for n in self.networks if n.name == name), None)


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Something that takes space on an engine's disk."""

    kind: str
    """`image`, `cache`, `home`, `volume`, `server` or `container`; `backup` where backups are on this machine."""
    name: str
    """Of a home or server its user, of backups their directory, else of volume or container; empty if it is shared."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a running container uses now."""

    name: str
    memory: int
    """Bytes, page cache not counted."""
    cpu_seconds: float
    """CPU time since its start."""
    pids: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a helper container or an exec ended."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def lines(self) -> tuple[str, ...]:
        """The last twenty lines of both streams, for an error's evidence."""
        text = (self.stdout + b"\n" + self.stderr).decode(errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-20:]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a container of the course."""

    name: str
    action: str
    """Docker's word: start, die, oom, destroy, …"""
    labels: Mapping[str, str] = field(default_factory=frozen)
    exit_code: int | None = None
    node: str = ""
    """The name of the node it happened on; empty on one machine."""
