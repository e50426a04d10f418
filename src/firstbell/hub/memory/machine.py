"""The machine's memory, and what servers and the course's parts use of it: cheap enough to be asked for each start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.model import names
from firstbell.model.names import Role
from firstbell.model.proc import parse_meminfo
from firstbell.plan.memory_room import MachineMemory

LOG = logging.getLogger("firstbell.machine")

MEASURE_EVERY = 30.0
"""Seconds between two rounds of asking the engine."""
AT_ONCE = 40
"""Servers asked for in a round. The daemon takes some milliseconds of CPU for each, and most servers' use changes
slowly: all of 400 have their turn within five minutes, or ten where many are near their limit."""
NEAR = 0.7
"""Of its limit: a server that uses as much is asked for in every round,"""
_NEAR_AT_ONCE = AT_ONCE // 2
"""as long as no more than half of the round is for such."""
_DEADLINE = 20.0
_MEMINFO = Path("/proc/meminfo")
_PARTS = (Role.HUB, Role.PROXY, Role.EDGE, Role.GUARD)


class Machine:
    """`running` tells the containers of servers that run; what they use is measured in `keep_measuring`.

    `limit` is the memory that a server may use, in bytes; 0 where nobody's is.
    """

    def __init__(
        self,
        engine: Engine,
        course: str,
        running: Callable[[], Iterable[str]] = tuple,
        meminfo: Path = _MEMINFO,
        clock: Callable[[], float] = time.monotonic,
        *,
        nodes: NodesWatch | None = None,
        limit: int = 0,
    ) -> None:
        self._limit = limit
        self._nodes = nodes
        self._engine = engine
        self._course = course
        self._running = running
        self._meminfo = meminfo
        self._clock = clock
        self._servers: dict[str, tuple[float, int]] = {}
        self.parts: dict[str, int] = {}
        """Bytes by role, of those that run."""

    def memory(self) -> MachineMemory:
        """As it is now, of a cluster all usable nodes together; what servers use is as when they were last asked."""
        servers, use = self.server_use()
        if self._nodes and self._nodes.all():
            usable = [node for node in self._nodes.all() if node.usable]
            total, available = sum(n.memory for n in usable), sum(n.memory_available for n in usable)
            return MachineMemory(total if available else 0, available, servers, use)
        facts = _meminfo(self._meminfo)
        return MachineMemory(facts.get("MemTotal", 0), facts.get("MemAvailable", 0), servers, use)

    def server_use(self) -> tuple[int, int]:
        """How many servers were measured, and what those use together in bytes."""
        return len(self._servers), sum(use for _, use in self._servers.values())

    def use_of(self, container: str) -> int | None:
        """What that server used when last measured, in bytes; None for one that has not been yet."""
        measured = self._servers.get(container)
        return measured[1] if measured else None

    def age_of(self, container: str) -> float | None:
        """Seconds since that server was last measured; None for one that has not been yet."""
        measured = self._servers.get(container)
        return self._clock() - measured[0] if measured else None

    def running(self) -> int:
        """How many servers run."""
        return len(tuple(self._running()))

    async def keep_measuring(self) -> None:
        """Ask the engine over and over, until cancelled. No failure ends it."""
        while True:
            try:
                async with asyncio.timeout(_DEADLINE):
                    await self.measure()
            except (EngineUnavailable, TimeoutError) as error:
                LOG.debug("What servers use is not known at present: %s", error)
            except Exception:
                LOG.exception("Measuring what servers use failed, trying again")
            await asyncio.sleep(MEASURE_EVERY)

    async def measure(self) -> None:
        """One round. Raises EngineUnavailable."""
        running = set(self._running())
        self._servers = {name: known for name, known in self._servers.items() if name in running}
        due = self._due(running)
        parts = {names.container(self._course, role): role.value for role in _PARTS}
        used = {usage.name: usage.memory for usage in await self._engine.usage([*due, *parts])}
        now = self._clock()
        self._servers |= {name: (now, used[name]) for name in due if name in used}
        self.parts = {role: used[name] for name, role in parts.items() if name in used}

    def _due(self, running: set[str]) -> tuple[str, ...]:
        """Those near their limit, then those that were not asked for the longest time."""
        oldest = sorted(running, key=lambda name: self._servers.get(name, (float("-inf"), 0))[0])
        near = [name for name in oldest if self._is_near(name)][:_NEAR_AT_ONCE]
        others = (name for name in oldest if name not in near)
        return (*near, *islice(others, AT_ONCE - len(near)))

    def _is_near(self, name: str) -> bool:
        return self._limit > 0 and self._servers.get(name, (0.0, 0))[1] >= NEAR * self._limit


def _meminfo(path: Path) -> dict[str, int]:
    """In bytes; empty where there is none."""
    try:
        return parse_meminfo(path.read_text())
    except OSError:
        return {}
