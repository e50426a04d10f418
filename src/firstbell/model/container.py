"""What a container is, as a value: planned without Docker, built by every engine from the same words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

GIB = 1024**3
MIB = 1024**2


def frozen(mapping: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """A read-only copy."""
    return MappingProxyType(dict(mapping or {}))


@dataclass(frozen=True, slots=True)
class File:
    """A file (or, where `content` is None, a directory) put into a container after its creation, before its start.

    Files under a mount land in the mounted volume; a directory entry there sets the volume's owner and mode.
    """

    path: str
    content: bytes | None = field(default=None, repr=False)
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    counted: bool = True
    """Whether a change of this file is a change of the container, which then is replaced."""
    late: bool = False
    """Whether a container that was prepared is given this file's content only when it is started, on its standard
    input and as one line, instead of the file."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything about the file."""
        head = f"{self.path}:{self.mode:o}:{self.uid}:{self.gid}:{self.content is None}:".encode()
        return hashlib.sha256(head + (self.content or b"")).hexdigest()


class MountKind(StrEnum):
    """Where a mount's data lives: a named volume, a directory of the host that must exist, or memory."""

    VOLUME = "volume"
    BIND = "bind"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` (volume name, host path; empty for tmpfs) seen at `target`."""

    kind: MountKind
    source: str
    target: str
    read_only: bool = False
    size: int = 0
    """Bytes; tmpfs only."""
    programs: bool = field(default=False, repr=False)
    """Whether what is written there may be executed, as compilers' results are; tmpfs only."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a container. Memory is a hard limit and swap is not added to it."""

    memory: int = GIB
    """Bytes; 0 is no limit."""
    cpu: float = 0.0
    """Cores; 0 is no limit."""
    pids: int = 512
    log_bytes: int = 10 * MIB
    """Bytes of a log file, of which two are kept."""
    share: float = field(default=1.0, repr=False)
    """Of cores and disks where they are short, beside the 1 of every other container."""


class Restart(StrEnum):
    """Docker's restart policies that we use."""

    NO = "no"
    UNLESS_STOPPED = "unless-stopped"
    """Not for what must go on: a daemon that was killed ends what it finds and takes it for stopped by somebody."""
    ALWAYS = "always"


HOST_NETWORK = "host"
NO_NETWORK = "none"
_NETWORK_OF = "container:"


def network_of(container: str) -> str:
    """The network that is another container's own: both have the same addresses and ports, loopback included."""
    return f"{_NETWORK_OF}{container}"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container. Every engine drops all capabilities and forbids new privileges, but for what is named here."""

    name: str
    image: str
    command: tuple[str, ...]
    """Replaces the image's entrypoint and command; empty leaves the image its own."""
    labels: Mapping[str, str] = field(default_factory=frozen)
    env: Mapping[str, str] = field(default_factory=frozen)
    """Visible to whoever may inspect; secrets go into `files`."""
    user: str = "1000:1000"
    groups: tuple[str, ...] = ()
    workdir: str = ""
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    files: tuple[File, ...] = ()
    network: str = NO_NETWORK
    """A network's name, `host`, `none`, or another container's (`network_of`)."""
    joins_late: bool = False
    """Whether the program may begin before its network is there: the two then load side by side."""
    ports: tuple[tuple[str, int, int], ...] = ()
    """Published: (host address, host port, container port)."""
    limits: Limits = field(default_factory=Limits)
    capabilities: tuple[str, ...] = ()
    """What is given back after dropping all; empty but for those named in docs/design.md."""
    new_privileges: bool = False
    """Whether a program may gain rights, as sudo does; only where a person asked for that on their own machine."""
    gpus: str = ""
    """`all`, or how many; empty for none."""
    restart: Restart = Restart.NO
    stop_grace: int = 10
    """Seconds between SIGTERM and SIGKILL."""
    node: str = ""
    """The name of the node to run on; empty leaves it to the engine. One machine is one node, and ignores it."""
    every_node: bool = False
    """Whether one runs on every node that is ready."""
    read_only: bool = False
    """Whether nothing can be written but in its mounts; such a container cannot be given `files` outside of them."""

    @property
    def shares_network(self) -> bool:
        """Whether its network is the host's or another container's, which then gives the host name, too."""
        return self.network == HOST_NETWORK or self.network.startswith(_NETWORK_OF)

    @property
    def is_on_own_network(self) -> bool:
        """Whether its network is one that was made for containers of ours."""
        return not self.shares_network and self.network != NO_NETWORK

    @property
    def network_owner(self) -> str:
        """The container whose network it shares; empty for none."""
        return self.network.removeprefix(_NETWORK_OF) if self.network.startswith(_NETWORK_OF) else ""

    @property
    def spec_hash(self) -> str:
        """SHA-256 of the whole specification, files by their digests; the `firstbell.spec` label."""
        return hashlib.sha256(json.dumps(self._canonical(), sort_keys=True).encode()).hexdigest()[:20]

    @property
    def prepared(self) -> ContainerSpec:
        """What of it can be made before its late files are known."""
        return replace(self, files=tuple(file for file in self.files if not file.late))

    def _canonical(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["labels"] = dict(self.labels)
        plain["env"] = dict(self.env)
        plain["files"] = [file.digest for file in self.files if file.counted]
        plain["mounts"] = [repr(mount) for mount in self.mounts]
        plain["limits"] = repr(self.limits)
        # Where it runs is no part of what it is on one machine, whose containers no cluster is to replace.
        return {key: value for key, value in plain.items() if value or key not in {"node", "every_node", "read_only"}}


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A bridge on which containers cannot speak to each other unless `inter_container` says so."""

    name: str
    bridge: str
    labels: Mapping[str, str] = field(default_factory=frozen)
    subnet: str = ""
    """CIDR; empty lets the engine choose."""
    inter_container: bool = False
    device_made: bool = False
    """Whether somebody else makes the bridge device, as the guard does on each node of a Swarm."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A named volume."""

    name: str
    labels: Mapping[str, str] = field(default_factory=frozen)
    options: Mapping[str, str] = field(default_factory=frozen)
    """Of the engine's `local` volume driver: `type`, `o`, `device`, as mount(8) has them; none for plain disk."""
    node: str = ""
    """The name of the node that has it; empty for the engine's own."""
