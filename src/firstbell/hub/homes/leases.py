"""Who may write a home that every node can mount: the server that asked its hub last, for some seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from firstbell.model.cluster import LEASE_MARGIN


class Leases:
    """When each user's server last had the hub's word that it is the one.

    A hub that has just started does not know what the one before it has said, and servers have taken its absence for a
    yes: for every user it is as if it had said yes in the moment in which it began to listen.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = clock()
        self._granted: dict[str, float] = {}

    def begin(self) -> None:
        """From now on the hub can be asked."""
        self._began = self._clock()

    def grant(self, user: str) -> None:
        """That user's server goes on for another while."""
        self._granted[user] = self._clock()

    def left(self, user: str) -> float:
        """Seconds until a server that asks no more has ended for certain; 0 from then on."""
        granted = max(self._granted.get(user, self._began), self._began)
        return max(0.0, granted + self.seconds + LEASE_MARGIN - self._clock())
