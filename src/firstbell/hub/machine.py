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
from firstbell.model import names
from firstbell.model.names import Role
from firstbell.model.proc import parse_meminfo
from firstbell.plan.memory_room import MachineMemory

LOG = logging.getLogger("firstbell.machine")

MEASURE_EVERY = 30.0
"""Seconds between two rounds of asking the engine."""
AT_ONCE = 40
"""Servers asked for in a round, those first that were not for the longest time. The daemon takes some milliseconds of
CPU for each, and servers' use changes slowly: all of 400 have their turn within five minutes."""
_DEADLINE = 20.0
_MEMINFO = Path("/proc/meminfo")
_PARTS = (Role.HUB, Role.PROXY, Role.EDGE, Role.GUARD)


class Machine:
    """`running` tells the containers of servers that run; what they use is measured in `keep_measuring`."""

    def __init__(
        self,
        engine: Engine,
        course: str,
        running: Callable[[], Iterable[str]] = tuple,
        meminfo: Path = _MEMINFO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._course = course
        self._running = running
        self._meminfo = meminfo
        self._clock = clock
        self._servers: dict[str, tuple[float, int]] = {}
        self.parts: dict[str, int] = {}
        """Bytes by role, of those that run."""

    def memory(self) -> MachineMemory:
        """As it is now; what servers use is as it was when they were last asked."""
        facts = _meminfo(self._meminfo)
        measured = [use for _, use in self._servers.values()]
        return MachineMemory(
            total=facts.get("MemTotal", 0),
            available=facts.get("MemAvailable", 0),
            servers=len(measured),
            servers_use=sum(measured),
        )

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
        oldest = sorted(running, key=lambda name: self._servers.get(name, (float("-inf"), 0))[0])
        due = tuple(islice(oldest, AT_ONCE))
        parts = {names.container(self._course, role): role.value for role in _PARTS}
        used = {usage.name: usage.memory for usage in await self._engine.usage([*due, *parts])}
        now = self._clock()
        self._servers |= {name: (now, used[name]) for name in due if name in used}
        self.parts = {role: used[name] for name, role in parts.items() if name in used}


def _meminfo(path: Path) -> dict[str, int]:
    """In bytes; empty where there is none."""
    try:
        return parse_meminfo(path.read_text())
    except OSError:
        return {}
