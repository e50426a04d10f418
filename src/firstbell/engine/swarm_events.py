"""Container events of all nodes as one stream; a node that goes away is told of, and listened to until it is back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace

from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.errors import EngineUnavailable
from firstbell.model.container import frozen
from firstbell.model.observed import Event, NodeState

AWAY, BACK = "node-away", "node-back"
"""Actions of events that are about a node, not about a container; their name is empty."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds before a node is listened to again."""
_LOOK = 10.0
"""Seconds after which a node that has joined meanwhile is found."""


class _Listener:
    """One course's listening to all nodes."""

    def __init__(self, cluster: Cluster, course: str) -> None:
        self._cluster = cluster
        self._course = course
        self.heard: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def to_all(self) -> None:
        """Listen to every node there is a way to, and to those that come."""
        while True:
            with contextlib.suppress(EngineUnavailable):
                for node in await self._cluster.reachable():
                    if node.id not in self._tasks:
                        listening = self._to_own(node) if self._cluster.is_own(node) else self._to(node)
                        self._tasks[node.id] = asyncio.ensure_future(listening)
            await asyncio.sleep(_LOOK)

    async def _to_own(self, node: NodeState) -> None:
        """The manager's own daemon: when it goes away, the whole stream ends."""
        try:
            await self._pass_on(node)
            await self.heard.put(None)
        except EngineUnavailable as error:
            await self.heard.put(error)

    async def _to(self, node: NodeState) -> None:
        pause, is_away = _FIRST_PAUSE, False
        while True:
            try:
                async with contextlib.aclosing(self._cluster.engine(node).events(self._course)) as events:
                    # Only an answer shows that it is there; events may be long in coming.
                    await self._cluster.engine(node).api.json("GET", "version", deadline=_LONGEST_PAUSE)
                    if is_away:
                        await self.heard.put(Event("", BACK, node=node.name))
                    pause, is_away = _FIRST_PAUSE, False
                    async for event in events:
                        await self.heard.put(_ours(event, node))
            except EngineUnavailable:
                pass
            if not is_away:
                await self.heard.put(Event("", AWAY, node=node.name))
                is_away = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pass_on(self, node: NodeState) -> None:
        async with contextlib.aclosing(self._cluster.engine(node).events(self._course)) as events:
            async for event in events:
                await self.heard.put(_ours(event, node))

    async def end(self) -> None:
        """Stop listening."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _ours(event: Event, node: NodeState) -> Event:
    return replace(event, name=event.labels.get(LABEL_NAME, event.name), labels=frozen(event.labels), node=node.name)


async def events(cluster: Cluster, course: str) -> AsyncGenerator[Event, None]:
    """See Engine.events. Raises EngineUnavailable if the manager's daemon cannot be listened to."""
    await cluster.listed()
    listener = _Listener(cluster, course)
    listening = asyncio.ensure_future(listener.to_all())
    try:
        while (heard := await listener.heard.get()) is not None:
            if isinstance(heard, BaseException):
                raise heard
            yield heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await listener.end()
