"""Takes connections of this machine and brings each where it belongs: through a link, or here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from firstbell.link.links import CONNECT, Links
from firstbell.link.pipe import End, join, reset, steady
from firstbell.link.reach import Reach
from firstbell.model.cluster import Purpose

MOST_OF_ONE = 512
"""Connections from one server, or to one: no user can take what the others need."""
_LOOK_AGAIN = 2.0
"""Seconds between two questions where a target might be."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Where a connection goes: `target` behind the link of `node`, or, without a node, an address and port here."""

    node: str = ""
    purpose: Purpose = Purpose.SERVER
    target: str = ""
    address: str = ""
    port: int = 0


class Forwarder:
    """One for all listeners of a program.

    `find` tells the way of whoever connected to that address of this machine, None if it is not known; `refresh`
    learns anew what `find` knows, and is asked when a way is not known or leads nowhere. With `reach`, connections that
    wait for a node that does not answer are reset. MOST_OF_ONE may be open of each, or, `by_target`, to each.
    """

    def __init__(
        self,
        links: Links,
        find: Callable[[str, int], Way | None],
        refresh: Callable[[], Awaitable[None]],
        say: Say,
        *,
        by_target: bool = False,
        reach: Reach | None = None,
    ) -> None:
        self._by_target = by_target
        self.reach = reach
        self._links = links
        self._find = find
        self._refresh = refresh
        self._say = say
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = -_LOOK_AGAIN
        self._lock = asyncio.Lock()

    def protocol(self) -> asyncio.Protocol:
        """For each connection that comes in."""
        return Near(self)

    def counted(self, source: str, target: str) -> str:
        """Under whom a connection counts."""
        return target if self._by_target else source

    def came(self, near: Near, whose: str, name: tuple[str, int]) -> None:
        """Somebody connected to `name`."""
        self._open[whose] += 1
        if self._open[whose] > MOST_OF_ONE:
            assert near.transport is not None
            reset(near.transport)
            return
        way = self._find(*name)
        if way is not None and way.node:
            if not near.heads_for(way.node):
                return
            far = _Far()
            if self._links.open_now(way.node, way.purpose, way.target, far) is not None:
                join(near, far)
                return
        task = asyncio.get_running_loop().create_task(self._bring(near, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def went(self, whose: str) -> None:
        """It has gone."""
        self._open[whose] -= 1
        if not self._open[whose]:
            del self._open[whose]

    async def _bring(self, near: Near, name: tuple[str, int]) -> None:
        tried: Way | None = None
        for _ in range(2):
            way = self._find(*name)
            if way is not None and way != tried:
                try:
                    if near.heads_for(way.node):
                        join(near, await self._reach(way))
                    return
                except (OSError, TimeoutError) as error:
                    self._say(
                        f"{way.node or 'here'}: {getattr(error, 'reason', None) or error or type(error).__name__}"
                    )
                    tried = way
            await self._look_again()
        if near.transport is not None:
            reset(near.transport)

    async def _reach(self, way: Way) -> End:
        far = _Far()
        if way.node:
            await self._links.open(way.node, way.purpose, way.target, far)
            return far
        async with asyncio.timeout(CONNECT):
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: far, way.address, way.port)
        steady(transport)
        return far

    async def _look_again(self) -> None:
        async with self._lock:
            if time.monotonic() - self._asked < _LOOK_AGAIN:
                return
            await self._refresh()
            self._asked = time.monotonic()


class Near(End):
    """The side of this machine."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__()
        self._forwarder = forwarder
        self._whose = ""
        self._node = ""
        self.waits = True
        """For an answer: nothing has come since it last said something."""

    def heads_for(self, node: str) -> bool:
        """Whether it may go on to that node; one that is known not to answer ends it."""
        reach = self._forwarder.reach
        if reach is None or self.is_lost or node == self._node:
            return True
        if self._node:
            reach.leave(self._node, self)
        self._node = node
        if node:
            reach.enter(node, self)
            if reach.is_silent(node):
                self.node_is_silent()
                return False
        return True

    def node_is_silent(self) -> None:
        """Whoever waits is told; whoever only listens is not."""
        if self.waits and self.transport is not None:
            reset(self.transport)

    def data_received(self, data: bytes) -> None:
        self.waits = True
        if self._node and self._forwarder.reach is not None and self._forwarder.reach.is_silent(self._node):
            self.node_is_silent()
            return
        super().data_received(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        steady(transport)
        peer = transport.get_extra_info("peername") or ("?",)
        name = transport.get_extra_info("sockname") or ("?", 0)
        self._whose = self._forwarder.counted(str(peer[0]), str(name[0]))
        self._forwarder.came(self, self._whose, (str(name[0]), int(name[1])))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forwarder.went(self._whose)
        if self._node and self._forwarder.reach is not None:
            self._forwarder.reach.leave(self._node, self)


class _Far(End):
    """The side of the server."""

    def data_received(self, data: bytes) -> None:
        if isinstance(self.other, Near):
            self.other.waits = False
        super().data_received(data)
