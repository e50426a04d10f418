"""What somebody who waits is told of the time it takes: honest, and not jumping about."""

from __future__ import annotations

import time
from collections.abc import Callable

_SLACK = 3.0
"""Seconds by which a forecast may grow without being told anew."""
_PART = 0.25
"""The same as a part of what is left."""


class Promise:
    """The time told to one person. It runs down like a clock; a better forecast shortens it.

    A worse one lengthens it only when it is worse by so much that what was told would be wrong.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None

    def seconds(self, forecast: float) -> float:
        """What to tell now, where the queue foretells `forecast` seconds."""
        now = self._clock()
        until = now + forecast
        if self._until is None or until < self._until or self._is_wrong(until, now):
            self._until = until
        return max(0.0, self._until - now)

    def _is_wrong(self, until: float, now: float) -> bool:
        told = self._until or 0.0
        return until - told > max(_SLACK, _PART * (told - now))


def rounded(seconds: float) -> str:
    """As people say it: `10 seconds`, `a minute`, `3 minutes`. Up to a minute it is rounded up."""
    if seconds < 60:
        return f"{max(5, -(-int(seconds) // 5) * 5)} seconds"
    minutes = round(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
