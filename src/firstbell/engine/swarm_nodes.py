"""How the nodes of a Swarm are known, and how the daemon of each is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from firstbell.engine.docker import DockerEngine
from firstbell.errors import EngineUnavailable
from firstbell.model.observed import NodeState


class Nodes(Protocol):
    """The way to each node's own daemon. `SwarmEngine` asks it for every node but the manager that it speaks to."""

    def engine(self, node: NodeState) -> DockerEngine:
        """The daemon of a node, always the same object; makes no call. Raises EngineUnavailable if there is no way."""
        ...

    async def available(self, node: NodeState) -> int:
        """Bytes of memory that the node's kernel could still give; 0 where that is not known. Raises nothing."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


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

    async def available(self, node: NodeState) -> int:
        del node
        return 0

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
