"""A ContainerSpec as a Swarm's service. Pure.

What a service cannot have: a swap limit (Docker adds as much again), before Engine 25 `no-new-privileges` (set it
in each daemon's configuration), a late join of its network, a host address for a port, another container's network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from firstbell.engine import docker_config
from firstbell.model import names
from firstbell.model.container import (
    MIB,
    NO_NETWORK,
    ContainerSpec,
    Limits,
    Mount,
    MountKind,
    NetworkSpec,
    Restart,
)
from firstbell.model.names import NODE_READY, PREFIX
from firstbell.model.observed import NodeState

LABEL_NAME = f"{PREFIX}.name"
"""Of a service's containers: the name that we call it by."""
LABEL_FILES = f"{PREFIX}.files"
"""Of configs, secrets and volumes that hold files of specifications: the course's name."""
ALONE = f"{PREFIX}_alone"
"""The network of services that are to have none: a service always has one, so it is one without a way out."""
_CONFIGURATION = "-nodes"
_NAME_LIMIT = 63
"""Characters of a service's name; swarmkit, manager/controlapi/common.go."""
_SECOND = 10**9
_IDLE_MEMORY = 64 * MIB
"""What Swarm's own bookkeeping keeps for a container: about what an idle server takes. Who may start where is
decided by what is really free, not by limits that nobody reaches."""
_CONDITIONS = {Restart.NO: "none", Restart.UNLESS_STOPPED: "any", Restart.ALWAYS: "any"}


def service_name(name: str) -> str:
    """A container's name, or one that fits a service: its beginning and a digest."""
    if len(name) <= _NAME_LIMIT:
        return name
    return f"{name[: _NAME_LIMIT - 13]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def configuration_of(network: str) -> str:
    """The name of the network, on every node, that says what a Swarm's network is there."""
    return f"{network}{_CONFIGURATION}"


def network_of_configuration(name: str) -> str:
    """The reverse of `configuration_of`; empty for what is none."""
    return name.removesuffix(_CONFIGURATION) if name.endswith(_CONFIGURATION) else ""


def service_body(
    spec: ContainerSpec,
    *,
    nodes: tuple[NodeState, ...],
    references: Mapping[str, list[dict[str, Any]]],
    mounts: tuple[Mount, ...],
    network: str = "",
) -> dict[str, Any]:
    """The body of `POST /services/create`, for the first node or, where the specification says so, for every ready one.

    `references` are those of configs and secrets, `mounts` those of the specification and of the files' volumes;
    `network` is what the node calls that of the specification.
    """
    marks = docker_config.labels(spec) | {LABEL_NAME: spec.name}
    return {
        "Name": service_name(spec.name),
        "Labels": marks,
        "TaskTemplate": {
            "ContainerSpec": {**_container(spec, marks, mounts), **references},
            "Resources": _resources(spec.limits, min((node.cpus for node in nodes if node.cpus), default=0)),
            "RestartPolicy": {"Condition": _CONDITIONS[spec.restart], "Delay": _SECOND},
            "Placement": {"Constraints": [_constraint(spec, nodes[0])]},
            "Networks": [{"Target": network or (ALONE if spec.network == NO_NETWORK else spec.network)}],
            "LogDriver": {
                "Name": "json-file",
                "Options": {"max-size": str(spec.limits.log_bytes), "max-file": "2"},
            },
        },
        "Mode": {"Global": {}} if spec.every_node else {"Replicated": {"Replicas": 1}},
        # A service is replaced, never updated; should somebody do so by hand, one home is never in two containers.
        "UpdateConfig": {"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def record_body(spec: ContainerSpec, node: NodeState) -> dict[str, Any]:
    """A service of no task: the Swarm's record of an ordinary container on that node."""
    body = service_body(spec, nodes=(node,), references={}, mounts=())
    body["Mode"] = {"Replicated": {"Replicas": 0}}
    body["TaskTemplate"]["Networks"] = []
    return body


def _constraint(spec: ContainerSpec, node: NodeState) -> str:
    return f"node.labels.{NODE_READY}==true" if spec.every_node else f"node.id=={node.id}"


def _container(spec: ContainerSpec, marks: Mapping[str, str], mounts: tuple[Mount, ...]) -> dict[str, Any]:
    return {
        "Image": spec.image,
        **({"Command": list(spec.command)} if spec.command else {}),
        "Labels": dict(marks),
        "Env": [f"{key}={value}" for key, value in sorted(spec.env.items())],
        "User": spec.user,
        "Groups": list(spec.groups),
        "Dir": spec.workdir,
        "Hostname": "" if spec.shares_network else spec.hostname,
        "StopGracePeriod": spec.stop_grace * _SECOND,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "Init": True,
        **({"ReadOnly": True} if spec.read_only else {}),
        "CapabilityDrop": ["ALL"],
        "CapabilityAdd": [f"CAP_{name}" for name in spec.capabilities],
        "Privileges": {"NoNewPrivileges": not spec.new_privileges},
        "Mounts": [_mount(mount) for mount in mounts],
    }


def _resources(limits: Limits, cpus: int) -> dict[str, Any]:
    """Of a bound above all cores of a node Docker makes an error; it is none."""
    bounds: dict[str, int] = {}
    if limits.memory:
        bounds["MemoryBytes"] = limits.memory
    if limits.cpu and (not cpus or limits.cpu <= cpus):
        bounds["NanoCPUs"] = int(limits.cpu * 1e9)
    if limits.pids:
        bounds["Pids"] = limits.pids
    kept = min(limits.memory or _IDLE_MEMORY, _IDLE_MEMORY)
    return {"Limits": bounds, "Reservations": {"MemoryBytes": kept}}


def _mount(mount: Mount) -> dict[str, Any]:
    entry: dict[str, Any] = {"Type": mount.kind.value, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.kind is MountKind.TMPFS:
        return entry | {"TmpfsOptions": {"Mode": 0o1777} | ({"SizeBytes": mount.size} if mount.size else {})}
    entry["Source"] = mount.source
    if mount.kind is MountKind.VOLUME:
        # What the image has at the target must not leak into somebody's home.
        entry["VolumeOptions"] = {"NoCopy": True}
    return entry


def configuration_body(spec: NetworkSpec) -> dict[str, Any]:
    """The body of `POST /networks/create` on each node: what the network is there. It alone carries the labels."""
    body = docker_config.network_body(spec)
    body |= {"Name": configuration_of(spec.name), "ConfigOnly": True}
    del body["Driver"]
    if spec.device_made:
        # Such a network gives way to one with a new id, should a node boot with a record of the old one: Docker's
        # `defaultBridgeNetworkConflict` (libnetwork, drivers/bridge/bridge.go). Isolation is as the options say.
        body["Options"]["com.docker.network.bridge.default_bridge"] = "true"
    return body


def network_body(name: str, *, configuration: str = "", internal: bool = False) -> dict[str, Any]:
    """The body of `POST /networks/create` on the manager: the name that services join, with another's configuration."""
    return {
        "Name": name,
        "CheckDuplicate": True,
        "Scope": "swarm",
        "Driver": "bridge",
        "Internal": internal,
        "ConfigFrom": {"Network": configuration_of(configuration or name)},
    }


def renewed_network(name: str, node: NodeState, times: int) -> str:
    """The name of the network that a node joins instead of `name` since it lost that one so many times."""
    return f"{name}-node-{node.number}-{times}"


def times_renewed(entry: str, name: str, node: NodeState) -> int:
    """The `times` of a name that `renewed_network` made for that node; 0 for any other."""
    rest = entry.removeprefix(f"{name}-node-{node.number}-")
    return int(rest) if rest != entry and rest.isdigit() else 0


def file_name(course: str, content: bytes) -> str:
    """The name of the config or secret with that content, a course's own."""
    return f"{PREFIX}-{hashlib.sha256(course.encode() + b'/' + content).hexdigest()[:40]}"


def course_of(spec: ContainerSpec) -> str:
    """Whose a specification is."""
    return spec.labels.get(names.LABEL_COURSE, "")
