"""What follows for people when the node of their server does not answer: nothing is ended that may be alive."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

from firstbell.hub.nodes.cluster import Cluster
from firstbell.hub.records.endings import ends_by, of_cause
from firstbell.hub.starts import causes
from firstbell.hub.starts.spawner import as_spawn_exception
from firstbell.hub.starts.watch import ContainerWatch, failed
from firstbell.model.observed import NodeState

LOG = logging.getLogger("firstbell.nodes")

LOOK_EVERY = 1.0
"""Seconds between two looks for servers whose lease is over."""
_LOOKS_AFTER_RETURN = 12
"""A Swarm ends what it has given up only once the node is back, and the node's events may come later than that."""
_BETWEEN = 2.5


class AwayCare:
    """A task beside the hub of a cluster.

    Where homes are on one node each, a server on a node that is away is waited for. Where every node can mount them, it
    counts as ended as soon as its lease is over, so that its person can go on elsewhere.
    """

    def __init__(self, app: Any, cluster: Cluster, watch: ContainerWatch) -> None:
        self._app = app
        self._cluster = cluster
        self._watch = watch
        self._looks = 0
        self._next = 0.0
        cluster.nodes.back.append(self._is_back)

    async def run(self) -> None:
        """Until cancelled. No failure ends it."""
        while True:
            try:
                await self.give_up_the_lost()
                await self._look_at_the_returned()
            except Exception:
                LOG.exception("Caring for servers on nodes that are away failed, trying again")
            await asyncio.sleep(LOOK_EVERY)

    async def _look_at_the_returned(self) -> None:
        """What was started elsewhere meanwhile, or was stopped, must not go on there; and who ended is told at once."""
        if self._looks and time.monotonic() >= self._next:
            self._looks, self._next = self._looks - 1, time.monotonic() + _BETWEEN
            await self._watch.look_safely()

    async def give_up_the_lost(self) -> None:
        """End, as far as the hub is concerned, the servers whose lease is over on nodes that are away."""
        leases = self._cluster.leases
        if leases is None or not self._cluster.nodes.away():
            return
        lost = [spawner for spawner in self._on_away_nodes() if leases.left(spawner.user.name) == 0]
        await asyncio.gather(*(self._give_up(spawner) for spawner in lost))

    def _on_away_nodes(self) -> Iterator[Any]:
        for user in self._app.users.values():
            for spawner in user.spawners.values():
                if spawner.ready and self._cluster.nodes.is_away(spawner.node):
                    yield spawner

    async def _give_up(self, spawner: Any) -> None:
        name, node = spawner.user.name, spawner.node
        LOG.warning("The server of %s on %s has ended itself by now; it can be started on another node", name, node)
        spawner.is_given_up = True
        cause = causes.of_lost_node(node, self._cluster.nodes.since(node))
        ends_by(spawner, of_cause(cause))
        spawner._spawn_future = failed(as_spawn_exception(cause))  # noqa: SLF001 - where JupyterHub's pages look
        await self._app.proxy.delete_user(spawner.user, spawner.name)
        await spawner.user.stop(spawner.name)

    def _is_back(self, node: NodeState) -> None:
        LOG.info("Looking at the servers of %s", node.name)
        self._looks, self._next = _LOOKS_AFTER_RETURN, 0.0
