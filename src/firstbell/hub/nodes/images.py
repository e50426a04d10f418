"""Which nodes of a cluster have the course's image: asked now and then, as it comes to a new node by itself."""

from __future__ import annotations

import asyncio
import logging

from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import FirstbellError
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.model.observed import NodeState
from firstbell.plan.placement import node_hindrance

LOG = logging.getLogger("firstbell.nodes")

LOOK_EVERY = 2.0
"""Seconds between two looks. A node that has it is not asked again until it was away: a look costs something only while
a node lacks it, as one does that has just been prepared."""
_DEADLINE = 10.0


class NodeImages:
    """`have` is None as long as nobody could be asked: then the image keeps nobody from a node."""

    def __init__(self, engine: Engine, image: str, nodes: NodesWatch) -> None:
        self._engine = engine
        self._image = image
        self._nodes = nodes
        self.have: frozenset[str] | None = None
        nodes.back.append(self._forget)

    async def run(self) -> None:
        """Look over and over, until cancelled. No failure ends it."""
        while True:
            try:
                await self.look()
            except Exception:
                LOG.exception("Looking for the image on the nodes failed, trying again")
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Ask those of which it is not known that they have it."""
        if not isinstance(self._engine, Cluster):
            return
        usable = [node for node in self._nodes.all() if not node_hindrance(node)]
        known = self.have or frozenset()
        found = await asyncio.gather(*(self._has(self._engine, node) for node in usable if node.name not in known))
        if usable:
            self.have = (known & {node.name for node in self._nodes.all()}) | {name for name in found if name}

    async def _has(self, engine: Cluster, node: NodeState) -> str:
        """The node's name if it has the image, or cannot say; else nothing."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return node.name if await (await engine.on(node.name)).image(self._image) else ""
        except (FirstbellError, TimeoutError) as error:
            LOG.debug("Whether %s has the image is not known: %s", node.name, error)
            return node.name

    def _forget(self, node: NodeState) -> None:
        if self.have is not None:
            self.have -= {node.name}
            self._looks_again = asyncio.ensure_future(self.look())
