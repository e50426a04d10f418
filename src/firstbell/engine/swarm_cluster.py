"""What all verbs of a Swarm share: its manager, its nodes, and the ways to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from firstbell.engine import swarm_read
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_api import SwarmApi
from firstbell.engine.swarm_nodes import Nodes
from firstbell.engine.waiting import together
from firstbell.errors import EngineUnavailable
from firstbell.model.observed import NodeState
from firstbell.model.pulse import NodePulse

T = TypeVar("T")

NODE_DEADLINE = 5.0
"""Seconds for a short answer of another node."""
_REMEMBERED = 2.0
"""Seconds for which the list of nodes, or that one does not answer, is believed without asking again."""


class NodeAway(EngineUnavailable):
    """A node that is not the manager's own did not answer; the rest of the Swarm may well."""


class Cluster:
    """One manager's daemon and the ways to the others'."""

    def __init__(self, manager: DockerEngine, nodes: Nodes) -> None:
        self.manager = manager
        self.api = SwarmApi(manager.api)
        self._ways = nodes
        self._own_id = ""
        self._known: tuple[NodeState, ...] = ()
        self._known_at = -_REMEMBERED
        self._away: dict[str, tuple[float, str]] = {}

    async def close(self) -> None:
        """Close every connection."""
        await self.manager.close()
        await self._ways.close()

    async def own_id(self) -> str:
        """The id of the node whose daemon is the manager."""
        if not self._own_id:
            with understood("info"):
                info = await self.manager.api.json("GET", "info")
                self._own_id = (info.get("Swarm") or {}).get("NodeID") or ""
        return self._own_id

    async def listed(self) -> tuple[NodeState, ...]:
        """Every node as the manager sees it, a moment old at most. Raises EngineUnavailable."""
        if time.monotonic() - self._known_at >= _REMEMBERED:
            entries = await self.api.listed("nodes")
            with understood("nodes"):
                self._known = swarm_read.nodes(entries)
            await self.own_id()
            await self._ways.ready()
            self._known_at = time.monotonic()
        return self._known

    async def known(self) -> tuple[NodeState, ...]:
        """The same, or the last list there was where the Swarm has no leader now."""
        try:
            return await self.listed()
        except EngineUnavailable:
            if not self._known:
                raise
            return self._known

    def forget(self) -> None:
        """Ask for the list again: something was changed."""
        self._known_at = -_REMEMBERED

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every node, with what its link says."""
        return tuple(await together(*map(self._felt, await self.listed())))

    async def _felt(self, node: NodeState) -> NodeState:
        if not node.prepared and not self.is_own(node):
            return node
        try:
            pulse = await self._pulse(node)
        except EngineUnavailable:
            return node
        return replace(
            node,
            linked=pulse.engine,
            memory_available=pulse.memory_available,
            memory=pulse.memory_total or node.memory,
        )

    async def _pulse(self, node: NodeState) -> NodePulse:
        try:
            return await self._ways.pulse(node)
        except EngineUnavailable:
            if self.is_own(node):  # its daemon answers, whatever its link does
                return NodePulse()
            raise

    def is_own(self, node: NodeState) -> bool:
        """Whether the manager's daemon is that node's."""
        return node.id == self._own_id

    def engine(self, node: NodeState) -> DockerEngine:
        """The node's daemon. Raises EngineUnavailable if there is no way to it."""
        return self.manager if self.is_own(node) else self._ways.engine(node)

    def has_way(self, node: NodeState) -> bool:
        """Whether its daemon can be asked at all."""
        try:
            self.engine(node)
        except EngineUnavailable:
            return False
        return True

    async def ask(
        self, node: NodeState, call: Callable[[DockerEngine], Awaitable[T]], deadline: float = NODE_DEADLINE
    ) -> T:
        """A node's answer. Raises NodeAway within `deadline` seconds, at once if it was away a moment ago.

        What the manager's own daemon raises passes through.
        """
        if self.is_own(node):
            return await call(self.manager)
        since, why = self._away.get(node.id, (0.0, ""))
        if why and time.monotonic() - since < _REMEMBERED:
            raise away(node, why)
        try:
            async with asyncio.timeout(deadline):
                answer = await call(self.engine(node))
        except Answer as error:
            raise away(node, error.what) from error
        except (EngineUnavailable, TimeoutError) as error:
            why = error.what if isinstance(error, EngineUnavailable) else f"no answer within {deadline:g} s"
            self._away[node.id] = (time.monotonic(), why)
            raise away(node, why) from error
        self._away.pop(node.id, None)
        return answer

    async def by_name(self, name: str) -> NodeState | None:
        """The node of that name, or id."""
        return next((node for node in await self.known() if name in {node.name, node.id}), None)

    async def by_id(self, identity: str) -> NodeState | None:
        """The node of that id; None for one that is no longer in the list."""
        return next((node for node in await self.known() if node.id == identity), None)

    async def reachable(self) -> tuple[NodeState, ...]:
        """The nodes to whose daemons there is a way, the manager's own first."""
        found = [node for node in await self.known() if self.has_way(node)]
        return tuple(sorted(found, key=lambda node: not self.is_own(node)))

    async def ask_all(
        self, call: Callable[[NodeState, DockerEngine], Awaitable[T]], deadline: float = NODE_DEADLINE
    ) -> dict[NodeState, T]:
        """The answers of all nodes that answer; those that are away are left out."""

        async def one(node: NodeState) -> tuple[NodeState, T] | None:
            try:
                return node, await self.ask(node, lambda engine: call(node, engine), deadline)
            except NodeAway:
                return None

        answers = await together(*map(one, await self.reachable()))
        return dict(answer for answer in answers if answer is not None)


def away(node: NodeState, why: str) -> NodeAway:
    """What to raise for a node that did not answer."""
    return NodeAway(
        f"the node {node.name} does not answer: {why}",
        where=node.address or node.name,
        next_step="`firstbell nodes list` shows which nodes are there; what runs there goes on, or is back with it.",
    )
