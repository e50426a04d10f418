"""The daemon's JSON as our values. Pure; whatever is malformed raises KeyError, TypeError or ValueError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from firstbell.model.container import frozen
from firstbell.model.image import Layer
from firstbell.model.names import LABEL_ROLE, LABEL_USER, PREFIX, Role
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    EngineFacts,
    Event,
    ImageState,
    NetworkState,
    Phase,
    Usage,
    VolumeState,
)

Json = Mapping[str, Any]

_PHASES = {
    "created": Phase.CREATED,
    "running": Phase.RUNNING,
    "restarting": Phase.EXITED,
    "paused": Phase.PAUSED,
    "exited": Phase.EXITED,
    "dead": Phase.EXITED,
    "removing": Phase.EXITED,
}
_NO_TIME = "0001-01-01T00:00:00Z"


def container(inspected: Json) -> ContainerState:
    """From `GET /containers/NAME/json`."""
    state = inspected["State"]
    phase = _PHASES.get(state["Status"], Phase.UNKNOWN)
    ended = phase is Phase.EXITED
    started = state.get("StartedAt") or ""
    return ContainerState(
        name=inspected["Name"].lstrip("/"),
        phase=phase,
        id=inspected["Id"],
        image=inspected["Config"]["Image"],
        labels=frozen(inspected["Config"].get("Labels")),
        address=_address(inspected["NetworkSettings"]["Networks"]),
        exit_code=int(state["ExitCode"]) if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        started_at="" if started == _NO_TIME else started,
    )


_SHELL = re.compile(r"^(?:RUN )?(?:\|\d+ (?:[^\n]*? )??)?/bin/sh -c (?:#\(nop\) +)?")


def layer(entry: Json) -> Layer:
    """From one entry of `GET /images/REF/history`, whichever builder wrote it."""
    written = str(entry.get("CreatedBy") or "").removesuffix(" # buildkit")
    ran = _SHELL.match(written)
    said_by_builder = ran is None or "#(nop)" in ran[0]
    instruction = written if ran is None else ("" if said_by_builder else "RUN ") + written[ran.end() :]
    return Layer(" ".join(instruction.split()), int(entry.get("Size") or 0))


def listed_container(entry: Json) -> ContainerState:
    """From one entry of `GET /containers/json`; enough for a container that runs."""
    return ContainerState(
        name=entry["Names"][0].lstrip("/"),
        phase=_PHASES.get(entry["State"], Phase.UNKNOWN),
        id=entry["Id"],
        image=entry["Image"],
        labels=frozen(entry.get("Labels")),
        address=_address(entry["NetworkSettings"]["Networks"]),
    )


def _address(networks: Json | None) -> str:
    return next((str(n["IPAddress"]) for n in (networks or {}).values() if n.get("IPAddress")), "")


def volume(entry: Json) -> VolumeState:
    """From an entry of `GET /volumes`."""
    return VolumeState(entry["Name"], frozen(entry.get("Labels")), entry.get("CreatedAt") or "")


def subnets(entry: Json) -> tuple[str, ...]:
    """The IPv4 and IPv6 subnets of an entry of `GET /networks`."""
    return tuple(c["Subnet"] for c in (entry["IPAM"].get("Config") or ()) if c.get("Subnet"))


def network(entry: Json) -> NetworkState:
    """From an entry of `GET /networks` or from `GET /networks/NAME`."""
    config: Json = next(iter(entry["IPAM"].get("Config") or ()), {})
    # A gateway comes with a prefix length where the person chose it as CIDR.
    gateway = (config.get("Gateway") or "").partition("/")[0]
    return NetworkState(entry["Name"], gateway, config.get("Subnet") or "", frozen(entry.get("Labels")))


def image(ref: str, inspected: Json) -> ImageState:
    """From `GET /images/REF/json`."""
    config = inspected.get("Config") or {}
    pairs = (item.partition("=") for item in config.get("Env") or ())
    return ImageState(
        ref=ref,
        id=inspected["Id"],
        env=frozen({key: value for key, _, value in pairs}),
        user=config.get("User") or "",
        workdir=config.get("WorkingDir") or "",
        labels=frozen(config.get("Labels")),
        size=int(inspected["Size"]),
        created_at=inspected.get("Created") or "",
        architecture=inspected.get("Architecture") or "",
        digests=tuple(inspected.get("RepoDigests") or ()),
    )


def listed_images(entry: Json) -> tuple[ImageState, ...]:
    """From an entry of `GET /images/json` with labels of ours: one value per tag, or one by its id."""
    labels = frozen(entry.get("Labels"))
    if not any(key.startswith(f"{PREFIX}.") for key in labels):
        return ()
    created = datetime.fromtimestamp(int(entry["Created"]), UTC).isoformat()
    tags = [tag for tag in entry.get("RepoTags") or () if tag != "<none>:<none>"]
    return tuple(
        ImageState(ref, entry["Id"], labels=labels, size=int(entry["Size"]), created_at=created)
        for ref in tags or [entry["Id"]]
    )


def facts(info: Json, version: Json) -> EngineFacts:
    """From `GET /info` and `GET /version`."""
    swarm = info.get("Swarm") or {}
    state = swarm.get("LocalNodeState") or ""
    return EngineFacts(
        version=version["Version"],
        api_version=version["ApiVersion"],
        operating_system=info["OperatingSystem"],
        architecture=info["Architecture"],
        cpus=int(info["NCPU"]),
        memory=int(info["MemTotal"]),
        storage_driver=info["Driver"],
        data_root=info.get("DockerRootDir") or "",
        swarm=state == "active",
        swarm_state="worker" if state == "active" and not swarm.get("ControlAvailable") else state,
        node_id=swarm.get("NodeID") or "",
        address=swarm.get("NodeAddr") or "",
        managers=tuple(manager["Addr"] for manager in swarm.get("RemoteManagers") or ()),
        registry=urlsplit(info.get("IndexServerAddress") or "").hostname or "",
        registry_address=info.get("IndexServerAddress") or "",
        warnings=tuple(info.get("Warnings") or ()),
    )


def disk_use(told: Json) -> tuple[DiskUse, ...]:
    """From `GET /system/df`; what was not counted is left out."""
    found = [DiskUse("image", "", int(told.get("LayersSize") or 0))]
    found += [DiskUse("cache", "", _size(one.get("Size"))) for one in told.get("BuildCache") or () if not one["Shared"]]
    for one in told.get("Volumes") or ():
        labels = one.get("Labels") or {}
        user = labels.get(LABEL_USER, "") if labels.get(LABEL_ROLE) == Role.HOME.value else ""
        found.append(
            DiskUse("home" if user else "volume", user or one["Name"], _size((one.get("UsageData") or {}).get("Size")))
        )
    for one in told.get("Containers") or ():
        labels, name = one.get("Labels") or {}, (one.get("Names") or ["/"])[0].lstrip("/")
        user = labels.get(LABEL_USER, "") if labels.get(LABEL_ROLE) in {Role.SERVER.value, Role.APP.value} else ""
        found.append(DiskUse("server" if user else "container", user or name, _size(one.get("SizeRw"))))
    return tuple(use for use in found if use.size > 0)


def _size(told: Any) -> int:
    """The daemon says -1 for what it has not counted."""
    return max(0, int(told or 0))


def usage(name: str, stats: Json | None) -> Usage | None:
    """From `GET /containers/NAME/stats`; None for a container that does not run.

    One that ends in the very moment of the question is answered with null, or with nulls for its parts.
    """
    memory = (stats or {}).get("memory_stats") or {}
    cpu = ((stats or {}).get("cpu_stats") or {}).get("cpu_usage") or {}
    if not stats or "usage" not in memory or "total_usage" not in cpu:
        return None
    detail = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup v1, else v2
    return Usage(
        name=name,
        memory=max(0, int(memory["usage"]) - int(cache)),
        cpu_seconds=int(cpu["total_usage"]) / 1e9,
        pids=int((stats.get("pids_stats") or {}).get("current") or 0),
    )


def event(message: Json) -> Event | None:
    """From a line of `GET /events`; None for what tells nothing about a container's life."""
    action = message.get("Action") or message["status"]
    if action.startswith(("exec_", "health_status", "attach", "archive-path", "extract-to-dir", "resize", "top")):
        return None
    attributes = dict(message["Actor"]["Attributes"])
    name = attributes.pop("name")
    exit_code = attributes.pop("exitCode", None)
    return Event(name, action, frozen(attributes), None if exit_code is None else int(exit_code))
