"""How busy a client process is: whether it, rather than the course, is what was measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

_TICK = 0.05
"""Seconds between two looks at the event loop's own delay."""
BUSY_SHARE = 0.75
"""Of one core: a client process above this could not have asked faster."""
LATE = 0.1
"""Seconds: an event loop that is later than this for one look in a hundred adds to what it measures."""


@dataclass(frozen=True, slots=True)
class Load:
    """Of one client process, from beginning to end."""

    seconds: float = 0.0
    cpu: float = 0.0
    """CPU seconds."""
    busiest: float = 0.0
    """The share of one core in its busiest second."""
    lag: float = 0.0
    """Seconds by which its event loop was late, at the 99th percentile."""
    lag_most: float = 0.0

    @property
    def is_what_was_measured(self) -> bool:
        """Whether the figures tell of this client as much as of the course."""
        return self.busiest > BUSY_SHARE or self.lag > LATE


class LoadMeter:
    """Watches the process it runs in."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()
        self._lags: list[float] = []
        self._busiest = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        second, cpu = time.perf_counter(), time.process_time()
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_TICK)
            now = time.perf_counter()
            self._lags.append(now - before - _TICK)
            if now - second >= 1:
                used = time.process_time()
                self._busiest = max(self._busiest, (used - cpu) / (now - second))
                second, cpu = now, used

    def load(self) -> Load:
        """Until now."""
        lags = sorted(self._lags) or [0.0]
        return Load(
            seconds=round(time.perf_counter() - self._began, 3),
            cpu=round(time.process_time() - self._cpu, 3),
            busiest=round(self._busiest, 3),
            lag=round(lags[min(len(lags) - 1, int(len(lags) * 0.99))], 4),
            lag_most=round(lags[-1], 4),
        )
