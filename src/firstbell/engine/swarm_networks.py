"""A course's network on a Swarm: the same bridge on every node, and one name that services join."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from firstbell.engine import docker_read, swarm_config, swarm_failure
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import ALONE, configuration_of, network_of_configuration
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable, FirstbellError, StartFailed
from firstbell.model import cluster as addresses
from firstbell.model.container import NetworkSpec, frozen
from firstbell.model.names import LABEL_COURSE, PREFIX
from firstbell.model.observed import ContainerState, NetworkState, NodeState

LOG = logging.getLogger("firstbell.networks")

_SETTLED = 20.0
"""Seconds for a node to give up a network after its last container."""
_GATEWAY_BRIDGE = "docker_gwbridge"
_SETTLES = 5.0
"""Seconds."""
_MISCOUNTED = 5.0
"""Seconds after which a configuration that no network on its node has any more is taken to be miscounted."""
_NODE_DEADLINE = 20.0
_POOL = IPv4Network("172.16.0.0/12")
_LENGTH = 20


class Networks:
    """The networks of courses on all nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, NetworkState] = {}
        """By course."""
        self._alone = asyncio.Lock()
        self._targets: dict[tuple[str, str], str] = {}
        """By network and node, where a service on that node joins another than the network itself."""
        self._renewing = asyncio.Lock()

    async def ensure(self, spec: NetworkSpec) -> NetworkState:
        """See Engine.ensure_network: on every node that answers; the others get it by `ensure_on`."""
        wanted = spec if spec.subnet else await self._with_subnet(spec)
        made = await self._cluster.ask_all(lambda _, engine: _ensure_configuration(engine, wanted), _NODE_DEADLINE)
        own = next((found for node, found in made.items() if self._cluster.is_own(node)), None)
        if own is None:
            raise EngineUnavailable(
                "the manager's own node could not be asked", where=spec.name, next_step="Try again in a moment."
            )
        for node, found in made.items():
            if found.subnet != own.subnet:
                raise StartFailed(
                    f"the network {spec.name} has the addresses {found.subnet} on {node.name}, elsewhere {own.subnet}",
                    where=node.name,
                    next_step=f"Stop the course with `firstbell down`, then on {node.name} "
                    f"`docker network rm {configuration_of(spec.name)}`.",
                )
        await self._ensure_name(spec.name)
        state = NetworkState(spec.name, own.gateway, own.subnet, own.labels, tuple(sorted(n.name for n in made)))
        self._known[own.labels.get(LABEL_COURSE, "")] = state
        return state

    async def _with_subnet(self, spec: NetworkSpec) -> NetworkSpec:
        """The specification with addresses that are free on every node, or those that it has already."""
        present = await _found(self._cluster.manager, configuration_of(spec.name))
        if present is not None:
            return replace(spec, subnet=docker_read.network(present).subnet)
        taken = await self._cluster.ask_all(lambda _, engine: _subnets(engine))
        used = [ip_network(subnet) for found in taken.values() for subnet in found]
        free = list(_POOL.subnets(new_prefix=_LENGTH))
        first = int(hashlib.sha256(spec.name.encode()).hexdigest()[:8], 16) % len(free)
        for subnet in free[first:] + free[:first]:
            if not any(other.version == 4 and subnet.overlaps(other) for other in used):
                return replace(spec, subnet=str(subnet))
        raise StartFailed(
            f"no free range of addresses is left for the network {spec.name}",
            where=spec.name,
            next_step="Remove networks that nobody uses with `docker network prune` on every node.",
        )

    async def _ensure_name(self, name: str, *, configuration: str = "", internal: bool = False) -> None:
        if found := await self._cluster.api.found(f"networks/{name}"):
            if not _configured_by(found, configuration_of(configuration or name)):
                raise swarm_failure.foreign(name, "network")
            return
        try:
            await self._cluster.api.json(
                "POST",
                "networks/create",
                body=swarm_config.network_body(name, configuration=configuration, internal=internal),
                repeat=False,
            )
        except Answer as answer:
            # A network that was just made is not always found by its name yet.
            if not answer.says("already exists", "conflicts with an existing"):
                raise swarm_failure.of_network(answer, name) from answer

    async def ensure_on(self, node: NodeState) -> None:
        """Give one node what every other has: the networks of all courses. Raises NodeAway, StartFailed."""
        for entry in await _listed(self._cluster.manager):
            if not (name := network_of_configuration(entry["Name"])) or not entry.get("ConfigOnly"):
                continue
            body = {key: entry[key] for key in ("Name", "Labels", "Options", "ConfigOnly")}
            body["IPAM"] = {"Config": [] if name == ALONE else entry["IPAM"].get("Config") or []}
            await self._cluster.ask(node, partial(_make, body), _NODE_DEADLINE)

    async def target(self, name: str, node: NodeState) -> str:
        """What a service on that node joins for the network `name`: that, or what took its place there."""
        key = (name, node.name)
        if key not in self._targets:
            times = await self._times_renewed(name, node)
            self._targets[key] = swarm_config.renewed_network(name, node, times) if times else name
        return self._targets[key]

    async def renew(self, name: str, node: NodeState, failed: str) -> None:
        """Give a node another network in the place of `failed`, which it cannot make (again).

        After a power cut the bridge driver has a record of the network, and the Swarm's agent, which has none, is
        refused to make it anew (moby issues 37087, 38318). One with a new id can be made.
        """
        async with self._renewing:
            if await self.target(name, node) != failed:
                return  # somebody else's start was first
            times = await self._times_renewed(name, node) + 1
            instead = swarm_config.renewed_network(name, node, times)
            await self._ensure_name(instead, configuration=name)
            self._targets[name, node.name] = instead
            if failed != name:
                with contextlib.suppress(Answer):
                    await self._cluster.api.json("DELETE", f"networks/{failed}")

    async def _times_renewed(self, name: str, node: NodeState) -> int:
        entries = await _listed(self._cluster.manager)
        return max((swarm_config.times_renewed(entry["Name"], name, node) for entry in entries), default=0)

    async def ensure_alone(self) -> None:
        """The network of those that are to have none, on every node."""
        async with self._alone:
            if await self._cluster.api.found(f"networks/{ALONE}") is not None:
                return
            bridge = f"fb-{hashlib.sha256(ALONE.encode()).hexdigest()[:10]}"
            spec = NetworkSpec(ALONE, bridge, frozen({f"{PREFIX}.alone": "true"}))
            await self._cluster.ask_all(lambda _, engine: _ensure_configuration(engine, spec), _NODE_DEADLINE)
            await self._ensure_name(ALONE, internal=True)

    async def remove(self, name: str) -> None:
        """See Engine.remove_network. Nodes that are away keep theirs, which the next `up` finds."""
        self._known = {course: found for course, found in self._known.items() if found.name != name}
        self._targets = {key: target for key, target in self._targets.items() if key[0] != name}
        for entry in await _listed(self._cluster.manager):
            if _configured_by(entry, configuration_of(name)) and entry["Name"] != name:
                await self._remove_name(entry["Name"])
        await self._remove_name(name)
        await self._cluster.ask_all(
            lambda _, engine: _removed(engine, configuration_of(name)), _SETTLED + _NODE_DEADLINE
        )

    async def _remove_name(self, name: str) -> None:
        async def gone() -> bool:
            try:
                await self._cluster.api.json("DELETE", f"networks/{name}")
            except Answer as answer:
                if answer.status == 404:
                    return True
                if "in use by task" in answer.message:  # of a service that was just removed
                    return False
                if answer.says("in use"):
                    raise _in_use(name, answer) from answer
                raise
            return True

        try:
            await until(gone, deadline=_SETTLED)
        except TimeoutError:
            raise _in_use(name, None) from None

    async def networks(self, course: str) -> tuple[NetworkState, ...]:
        """The networks of a course, or of all with ""."""
        return networks_of(await _listed(self._cluster.manager), course)

    async def reached_at(self, container: ContainerState, node: NodeState) -> str:
        """Where a container on its course's network is reached from the hub's node; empty for one on another."""
        if not container.address:
            return ""
        course = container.labels.get(LABEL_COURSE, "")
        if course not in self._known:
            for found in await self.networks(course):
                self._known[found.labels.get(LABEL_COURSE, "")] = found
        network = self._known.get(course)
        if network is None or IPv4Address(container.address) not in IPv4Network(network.subnet):
            return ""
        if not node.number:
            return container.address
        return addresses.tunnel_address(node.number, container.address, network.subnet)


def networks_of(entries: list[dict[str, Any]], course: str) -> tuple[NetworkState, ...]:
    """The networks of a course among those of a node's daemon, by what they are called on the Swarm."""
    found = []
    for entry in entries:
        state = docker_read.network(entry)
        name, value = network_of_configuration(state.name), state.labels.get(LABEL_COURSE)
        if name and entry.get("ConfigOnly") and value is not None and course in {"", value}:
            found.append(NetworkState(name, state.gateway, state.subnet, state.labels))
    return tuple(found)


def named_networks(entries: Iterable[dict[str, Any]]) -> frozenset[str]:
    """The names that services can join, among the networks of the manager's daemon."""
    return frozenset(entry["Name"] for entry in entries if _configured_by(entry, configuration_of(entry["Name"])))


def spread_networks(
    found: Mapping[NodeState, Iterable[NetworkState]], named: Collection[str]
) -> tuple[NetworkState, ...]:
    """Each once, with the nodes that have it; one whose name was not made, or is a stranger's, is nowhere whole."""
    states: dict[str, NetworkState] = {}
    for node, networks in found.items():
        for network in networks:
            known = states.setdefault(network.name, network)
            there = {*known.nodes, node.name} if network.name in named else ()
            states[network.name] = replace(known, nodes=tuple(sorted(there)))
    return tuple(states.values())


async def _listed(engine: DockerEngine) -> list[dict[str, Any]]:
    with understood("networks"):
        entries: list[dict[str, Any]] = await engine.api.json("GET", "networks")
        return list(entries)


async def _subnets(engine: DockerEngine) -> list[str]:
    """Those of a node's networks, that which its daemon makes by itself soon after it has joined a Swarm included."""

    async def settled() -> list[dict[str, Any]] | None:
        entries = await _listed(engine)
        return entries if any(entry["Name"] == _GATEWAY_BRIDGE for entry in entries) else None

    with understood("networks"):
        try:
            entries = await until(settled, deadline=_SETTLES)
        except TimeoutError:
            entries = await _listed(engine)
        return [subnet for entry in entries for subnet in docker_read.subnets(entry)]


async def _found(engine: DockerEngine, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await engine.api.json("GET", f"networks/{name}")
    except Answer as answer:
        if answer.status == 404:
            return None
        raise
    return found


async def _ensure_configuration(engine: DockerEngine, spec: NetworkSpec) -> NetworkState:
    found = await _made(engine, swarm_config.configuration_body(spec), spec.name)
    with understood(spec.name):
        options = found.get("Options") or {}
        if not spec.inter_container and options.get("com.docker.network.bridge.enable_icc") != "false":
            raise StartFailed(
                f"the network {spec.name} exists and does not isolate servers from each other",
                where=spec.name,
                next_step=f"Stop the course with `firstbell down`, then `docker network rm "
                f"{configuration_of(spec.name)}`.",
            )
        return docker_read.network(found)


async def _make(body: dict[str, Any], engine: DockerEngine) -> None:
    await _made(engine, body, network_of_configuration(body["Name"]))


async def _made(engine: DockerEngine, body: dict[str, Any], name: str) -> dict[str, Any]:
    with understood(name):
        entries = await _listed(engine)
        present = next((entry for entry in entries if entry["Name"] == body["Name"]), None)
        if present is None:
            _check_free(body, entries, name)
    if present is None:
        try:
            await engine.api.json("POST", "networks/create", body=body)
        except Answer as answer:
            present = await _found(engine, body["Name"])
            if present is None:
                raise swarm_failure.of_network(answer, name) from answer
        else:
            present = await engine.api.json("GET", f"networks/{body['Name']}")
    return dict(present or {})


def _check_free(body: dict[str, Any], entries: list[dict[str, Any]], name: str) -> None:
    """Docker itself would say that addresses are taken only when the first server starts."""
    taken = [ip_network(subnet) for entry in entries for subnet in docker_read.subnets(entry)]
    for subnet in (ip_network(config["Subnet"]) for config in body["IPAM"]["Config"]):
        if any(other.version == subnet.version and subnet.overlaps(other) for other in taken):
            raise swarm_failure.of_network(Answer(403, "Pool overlaps with other one on this address space"), name)


async def _removed(engine: DockerEngine, name: str) -> None:
    """Remove a configuration from a node.

    One whose node had a power cut stays: the daemon still counts the networks of before, and nothing sets that right
    (libnetwork, `endpointCnt`). It is a record without device and addresses, which the next `up` finds and uses.
    """

    async def gone() -> bool:
        try:
            await engine.api.json("DELETE", f"networks/{name}")
        except Answer as answer:
            if answer.status == 404:
                return True
            if answer.says("in use"):
                return False
            raise
        return True

    for patience in (_MISCOUNTED, _SETTLED):
        with contextlib.suppress(TimeoutError):
            await until(gone, deadline=patience)
            return
        if not any(_configured_by(entry, name) for entry in await _listed(engine)):
            LOG.warning("%s is counted as used by networks that are gone; it stays", name)
            return
    raise _in_use(name, None)


def _configured_by(entry: dict[str, Any], configuration: str) -> bool:
    return bool((entry.get("ConfigFrom") or {}).get("Network") == configuration)


def _in_use(name: str, answer: Answer | None) -> FirstbellError:
    return FirstbellError(
        f"the network {name} is still in use",
        where=f"networks/{name}",
        next_step="Stop what uses it first; `docker service ls` shows all services.",
        evidence=(answer.message,) if answer else (),
    )
