"""Whose memory was full in the last hour, and how often: for the wall. In memory; the record has it for good."""

from __future__ import annotations

import time
from collections.abc import Callable

HOUR = 3600.0
_MOST = 100
"""Of one person: more is not worth counting."""


class Fulls:
    """By user."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: dict[str, list[float]] = {}

    def note(self, user: str) -> None:
        """It was full just now."""
        self._at[user] = [*self._recent(user), self._clock()][-_MOST:]

    def count(self, user: str) -> int:
        """How often in the last hour."""
        recent = self._recent(user)
        if not recent:
            self._at.pop(user, None)
        return len(recent)

    def forget(self, user: str) -> None:
        """Another server begins."""
        self._at.pop(user, None)

    def _recent(self, user: str) -> list[float]:
        now = self._clock()
        return [at for at in self._at.get(user, ()) if now - at < HOUR]
