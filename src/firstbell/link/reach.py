"""Which nodes do not answer, for whoever waits for an answer of theirs: so a page says it soon, not after a minute.

A node that is cut off sends nothing, and neither does the kernel here until its patience is over. Whoever only listens
(a silent web socket) is let alone: a node that comes back goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from firstbell.link.links import Links
from firstbell.link.pings import Pings

LOOK_EVERY = 2.0
AWAY_AFTER = 7.0
"""Seconds without an answer to any of the questions of that time; people are to be told within ten."""


class Waiting(Protocol):
    """A connection to a node."""

    def node_is_silent(self) -> None:
        """The node has not answered for a while."""


class Reach:
    """Asks the nodes to which connections are open how they are."""

    def __init__(
        self, links: Links, say: Callable[[str], None], *, every: float = LOOK_EVERY, away_after: float = AWAY_AFTER
    ) -> None:
        self._pings = Pings(links)
        self._say = say
        self._every = every
        self._away_after = away_after
        self._heard: dict[str, float] = {}
        self._silent: set[str] = set()
        self._open: defaultdict[str, set[Waiting]] = defaultdict(set)

    def is_silent(self, node: str) -> bool:
        """Whether the node at that address has not answered for a while."""
        return node in self._silent

    def enter(self, node: str, connection: Waiting) -> None:
        """A connection to that node is open, or tried."""
        if not self._open[node] and node not in self._silent:
            self._heard[node] = asyncio.get_running_loop().time()
        self._open[node].add(connection)

    def leave(self, node: str, connection: Waiting) -> None:
        """It has ended."""
        self._open[node].discard(connection)
        if not self._open[node]:
            del self._open[node]

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                began = asyncio.get_running_loop().time()
                await asyncio.gather(*(self._look(node) for node in {*self._open, *self._silent}))
                took = asyncio.get_running_loop().time() - began
                await asyncio.sleep(max(self._every - took, self._every / 10))
        finally:
            self._pings.close()

    async def _look(self, node: str) -> None:
        now = asyncio.get_running_loop().time
        try:
            with contextlib.suppress(ConnectionError):  # a refusal is no silence: nobody waits for it
                await self._pings.ask(node, self._every)
        except (OSError, TimeoutError):
            if node in self._silent or now() - self._heard.get(node, now()) < self._away_after:
                return
            self._silent.add(node)
            self._say(f"{node} does not answer")
            for connection in tuple(self._open.get(node, ())):
                connection.node_is_silent()
        else:
            self._heard[node] = now()
            if node in self._silent:
                self._silent.discard(node)
                self._say(f"{node} answers again")
