"""A ContainerSpec as the body of `POST /containers/create`. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import firstbell
from firstbell.model.container import NO_NETWORK, ContainerSpec, Limits, Mount, MountKind, NetworkSpec, VolumeSpec
from firstbell.model.names import LABEL_SPEC, LABEL_VERSION

_LOG_FILES = 2


def create_body(spec: ContainerSpec, *, with_stdin: bool = False) -> dict[str, Any]:
    """What Docker is asked for: of the image's entrypoint and command all or nothing, of its health check nothing."""
    return {
        "Image": spec.image,
        **({"Entrypoint": list(spec.command), "Cmd": []} if spec.command else {}),
        "Labels": labels(spec),
        "Env": [f"{key}={value}" for key, value in sorted(spec.env.items())],
        "User": spec.user,
        "WorkingDir": spec.workdir,
        "Hostname": "" if spec.shares_network else spec.hostname,
        "StopTimeout": spec.stop_grace,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": with_stdin,
        "StdinOnce": with_stdin,
        "AttachStdin": with_stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {f"{port}/tcp": {} for _, _, port in spec.ports},
        "HostConfig": _host_config(spec),
    }


def labels(spec: ContainerSpec) -> dict[str, str]:
    """The specification's labels with its hash and our version."""
    return {**spec.labels, LABEL_SPEC: spec.spec_hash, LABEL_VERSION: firstbell.__version__}


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": [] if spec.new_privileges else ["no-new-privileges"],
        "Privileged": False,
        **({"ReadonlyRootfs": True} if spec.read_only else {}),
        "Init": True,
        "RestartPolicy": {"Name": spec.restart.value},
        "GroupAdd": list(spec.groups),
        "NetworkMode": NO_NETWORK if spec.joins_late else spec.network,
        "PortBindings": _port_bindings(spec),
        "Mounts": [_mount(mount) for mount in spec.mounts if mount.kind is not MountKind.TMPFS],
        "Tmpfs": {mount.target: _tmpfs(mount) for mount in spec.mounts if mount.kind is MountKind.TMPFS},
        "DeviceRequests": _gpus(spec.gpus),
        **_limits(spec.limits),
    }


def _limits(limits: Limits) -> dict[str, Any]:
    bounds: dict[str, Any] = {
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(limits.log_bytes), "max-file": str(_LOG_FILES)},
        }
    }
    if limits.memory:
        # Equal means: no swap on top.
        bounds |= {"Memory": limits.memory, "MemorySwap": limits.memory}
    if limits.cpu:
        bounds["NanoCpus"] = int(limits.cpu * 1e9)
    if limits.pids:
        bounds["PidsLimit"] = limits.pids
    if limits.share != 1:
        bounds |= {"CpuShares": max(2, int(1024 * limits.share)), "BlkioWeight": max(10, int(500 * limits.share))}
    return bounds


def _gpus(wanted: str) -> list[dict[str, Any]]:
    """As `docker run --gpus` asks for them; every graphics card is a count of -1."""
    if not wanted:
        return []
    return [{"Driver": "", "Count": -1 if wanted == "all" else int(wanted), "Capabilities": [["gpu"]]}]


def _mount(mount: Mount) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Type": mount.kind.value,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.kind is MountKind.VOLUME:
        # What the image has at the target must not leak into somebody's home.
        entry["VolumeOptions"] = {"NoCopy": True}
    return entry


def _tmpfs(mount: Mount) -> str:
    options = ["rw", "nosuid", "nodev", "mode=1777"]
    if mount.read_only:
        options[0] = "ro"
    if mount.programs:
        options.append("exec")
    return ",".join([*options, *([f"size={mount.size}"] if mount.size else [])])


def _port_bindings(spec: ContainerSpec) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for address, host_port, port in spec.ports:
        bindings.setdefault(f"{port}/tcp", []).append({"HostIp": address, "HostPort": str(host_port)})
    return bindings


ISOLATION = "com.docker.network.bridge.enable_icc"


def first_host(subnet: str) -> str:
    """The first address for hosts in a subnet (CIDR)."""
    return str(next(ipaddress.ip_network(subnet, strict=False).hosts()))


def volume_body(spec: VolumeSpec, labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /volumes/create`; with options the `local` driver mounts what they name, at the first use."""
    body: dict[str, Any] = {"Name": spec.name, "Labels": dict(labels)}
    return body | ({"Driver": "local", "DriverOpts": dict(spec.options)} if spec.options else {})


def network_body(spec: NetworkSpec) -> dict[str, Any]:
    """The body of `POST /networks/create`."""
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Labels": {**spec.labels, LABEL_VERSION: firstbell.__version__},
        # Docker would take the same gateway by itself, but then not tell it.
        "IPAM": {"Config": [{"Subnet": spec.subnet, "Gateway": first_host(spec.subnet)}] if spec.subnet else []},
        "Options": {
            ISOLATION: str(spec.inter_container).lower(),
            "com.docker.network.bridge.name": spec.bridge,
        },
    }
