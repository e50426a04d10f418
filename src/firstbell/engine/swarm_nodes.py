"""How the daemon of each node of a Swarm is reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from firstbell.engine import swarm_link
from firstbell.engine.docker import DockerEngine
from firstbell.errors import EngineUnavailable
from firstbell.link.keys import RoleKeys
from firstbell.model.observed import NodeState
from firstbell.model.pulse import NodePulse

PULSE_DEADLINE = 2.0
"""Seconds."""


class Nodes(Protocol):
    """The way to each node's own daemon. `SwarmEngine` asks it for every node but the manager that it speaks to."""

    def engine(self, node: NodeState) -> DockerEngine:
        """The daemon of a node, always the same object; makes no call. Raises EngineUnavailable if there is no way."""
        ...

    async def ready(self) -> None:
        """Called now and then before the others: whatever they need is to be had again if it was not there."""
        ...

    async def pulse(self, node: NodeState) -> NodePulse:
        """How the node is now. Raises EngineUnavailable where it does not answer within PULSE_DEADLINE."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class LinkedNodes:
    """Nodes reached by their links, with the hub's keys; `load` gives None as long as the cluster has none."""

    def __init__(self, load: Callable[[], Awaitable[RoleKeys | None]]) -> None:
        self._load = load
        self._keys: RoleKeys | None = None
        self._pinger: swarm_link.Pinger | None = None
        self._engines: dict[str, DockerEngine] = {}

    async def ready(self) -> None:
        if self._keys is None:
            self._keys = await self._load()

    def engine(self, node: NodeState) -> DockerEngine:
        if not node.prepared or self._keys is None:
            raise no_way(node)
        if node.address not in self._engines:
            self._engines[node.address] = swarm_link.node_engine(node.address, self._keys)
        return self._engines[node.address]

    async def pulse(self, node: NodeState) -> NodePulse:
        if not node.prepared or self._keys is None:
            raise no_way(node)
        self._pinger = self._pinger or swarm_link.Pinger(self._keys)
        return await self._pinger.ping(node.address, PULSE_DEADLINE)

    async def close(self) -> None:
        engines, self._engines = self._engines, {}
        pinger, self._pinger = self._pinger, None
        for engine in engines.values():
            await engine.close()
        if pinger is not None:
            await pinger.close()


class NodesByName:
    """Nodes whose daemons have addresses as in DOCKER_HOST, by the nodes' names; `make` opens one."""

    def __init__(self, hosts: Mapping[str, str], make: Callable[[str], DockerEngine] = DockerEngine) -> None:
        self._hosts = dict(hosts)
        self._make = make
        self._engines: dict[str, DockerEngine] = {}

    def engine(self, node: NodeState) -> DockerEngine:
        if node.name not in self._hosts:
            raise no_way(node)
        if node.name not in self._engines:
            self._engines[node.name] = self._make(self._hosts[node.name])
        return self._engines[node.name]

    async def ready(self) -> None:
        """Nothing is needed."""

    async def pulse(self, node: NodeState) -> NodePulse:
        await self.engine(node).api.json("GET", "containers/json", params={"limit": 1}, deadline=PULSE_DEADLINE)
        return NodePulse()

    async def close(self) -> None:
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.close()


def no_way(node: NodeState) -> EngineUnavailable:
    """What to raise for a node that was never prepared."""
    return EngineUnavailable(
        f"the node {node.name} cannot be reached: it was not prepared for courses",
        where=node.address,
        next_step="Run `firstbell nodes prepare` for it; `firstbell nodes list` shows all nodes.",
    )
