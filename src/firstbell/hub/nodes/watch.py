"""How the nodes of a cluster are: asked every other second, and told to whoever has to do something about it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable
from firstbell.model.observed import NodeState

LOG = logging.getLogger("firstbell.nodes")

LOOK_EVERY = 2.0
"""Seconds between two looks."""
AWAY_AFTER = 5.0
"""Seconds of silence after which people are told that a node is away: at least two looks without an answer, so that a
lost packet is no reason. Being away is never taken for being dead."""
_LEAST_PAUSE = 0.5
_LATE = 2.7
"""Seconds: a look takes two where a node is silent. One that takes longer was held up here, by want of a processor, and
then says nothing about the silence of others."""
_DEADLINE = 8.0

Told = Callable[[NodeState], None]


@dataclass(slots=True)
class _Known:
    """A node with when it was last heard, on the steady clock and by the time of day."""

    state: NodeState
    heard: float
    heard_at: datetime
    is_away: bool = False
    back_at: float = float("-inf")
    """When it last came back."""


class NodesWatch:
    """Of one machine there is nothing to watch: no nodes, and nothing is ever away."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        zone: str = "UTC",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._now = now
        self._zone = ZoneInfo(zone)
        self._nodes: dict[str, _Known] = {}
        self._cannot_ask = False
        self._looked_at = clock()
        self.own = ""
        """The hub's own node."""
        self.changed: list[Told] = []
        """Called when a node is found to be away, and when it answers again."""
        self.back: list[Told] = []
        """Called when it answers again."""
        self.looked: list[Callable[[], None]] = []
        """Called after every look that had an answer."""

    def all(self) -> tuple[NodeState, ...]:
        """As they were at the last look, by name."""
        return tuple(known.state for _, known in sorted(self._nodes.items()))

    def node(self, name: str) -> NodeState | None:
        """One of them."""
        known = self._nodes.get(name)
        return known.state if known else None

    def is_away(self, name: str) -> bool:
        """Whether that node has been silent for a while; never so where it is not known."""
        return name in self._nodes and self._nodes[name].is_away

    def away(self) -> tuple[str, ...]:
        """The names of all that are."""
        return tuple(name for name, known in sorted(self._nodes.items()) if known.is_away)

    def all_there_for(self, seconds: float) -> bool:
        """Whether every node answers, and none has come back within that time."""
        now = self._clock()
        return all(k.state.linked and not k.is_away and now - k.back_at >= seconds for k in self._nodes.values())

    def is_just_back(self, name: str, seconds: float) -> bool:
        """Whether that node has come back within that time."""
        known = self._nodes.get(name)
        return known is not None and self._clock() - known.back_at < seconds

    def since(self, name: str) -> str:
        """The time of day at which it last answered, for people; empty for one that is not known."""
        known = self._nodes.get(name)
        if known is None:
            return ""
        heard, today = known.heard_at.astimezone(self._zone), self._now().astimezone(self._zone).date()
        return f"{heard:%H:%M}" if heard.date() == today else f"{heard:%Y-%m-%d %H:%M}"

    async def run(self) -> None:
        """Look over and over, until cancelled. No failure ends it."""
        while True:
            began = time.monotonic()
            await self.look_safely()
            await asyncio.sleep(max(_LEAST_PAUSE, LOOK_EVERY - (time.monotonic() - began)))

    async def look_safely(self) -> None:
        """One look; a manager that does not answer says nothing about any node."""
        try:
            async with asyncio.timeout(_DEADLINE):
                await self.look()
        except (EngineUnavailable, TimeoutError) as error:
            if not self._cannot_ask:
                LOG.warning("The cluster does not say how its nodes are, trying again: %s", error)
            self._cannot_ask = True
        except Exception:
            LOG.exception("Looking at the nodes failed, trying again")
        else:
            self._cannot_ask = False

    async def look(self) -> None:
        """One look. Raises EngineUnavailable."""
        began = self._clock()
        facts = await self._engine.facts()
        now = self._clock()
        own = facts.own_node
        if now - began > _LATE or (own is not None and own.prepared and not own.linked):
            self._overlook(now)
        self._looked_at = now
        self.own = facts.own_node.name if facts.own_node else ""
        present = {node.name for node in facts.nodes if node.prepared}
        for name in set(self._nodes) - present:
            del self._nodes[name]
        for node in facts.nodes:
            if node.name in present:
                self._note(node, now)
        for told in self.looked:
            told()

    def _overlook(self, now: float) -> None:
        """Time in which this hub was not able to listen is no silence of anybody's."""
        for known in self._nodes.values():
            if not known.is_away:
                known.heard += now - self._looked_at

    def _note(self, node: NodeState, now: float) -> None:
        known = self._nodes.get(node.name)
        if known is None:
            # Of one that has never answered this hub nobody knows since when it is silent: since now, at least.
            known = self._nodes[node.name] = _Known(node, now, self._now())
        known.state = node
        if node.linked:
            known.heard, known.heard_at = now, self._now()
            if known.is_away:
                known.is_away, known.back_at = False, now
                LOG.warning("The node %s answers again", node.name)
                _tell([*self.changed, *self.back], node)
        elif not known.is_away and now - known.heard >= AWAY_AFTER:
            known.is_away = True
            LOG.warning("The node %s does not answer; its servers count as running", node.name)
            _tell(self.changed, node)


def _tell(whom: list[Told], node: NodeState) -> None:
    for told in whom:
        try:
            told(node)
        except Exception:
            LOG.exception("What follows from the state of %s failed", node.name)
