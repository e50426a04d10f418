"""Slowing down those who guess, in bounded memory, without shutting out those whom they imitate."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` tries at once, then one every `every` seconds."""

    burst: int
    every: float


class Throttle:
    """A leaky bucket per key (the generic cell rate algorithm: one number a key), least used keys forgotten first.

    Charge before the costly work and refund what turned out honest, so that tries under way count too. Forgetting
    a key forgives it; whoever floods the table to that end meets the global throttle beside it.
    """

    def __init__(self, rate: Rate, keys: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._keys = keys
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        """Keys remembered now."""
        return len(self._full_at)

    def wait(self, key: Hashable) -> float:
        """Seconds until `key` may try; 0 is now. Charges nothing."""
        spare = (self._rate.burst - 1) * self._rate.every
        return max(0.0, self._full_at.get(key, 0.0) - spare - self._clock())

    def charge(self, key: Hashable) -> None:
        """Count a try."""
        now = self._clock()
        self._full_at[key] = max(self._full_at.pop(key, now), now) + self._rate.every
        if len(self._full_at) > self._keys:
            self._full_at.popitem(last=False)

    def refund(self, key: Hashable) -> None:
        """Take one try back."""
        if key in self._full_at:
            self._full_at[key] -= self._rate.every


class Throttles:
    """Several at once: all must allow a try, all are charged for it."""

    def __init__(self, *pairs: tuple[Throttle, Hashable]) -> None:
        self._pairs = pairs

    def wait(self) -> float:
        """Seconds until all allow it."""
        return max((throttle.wait(key) for throttle, key in self._pairs), default=0.0)

    def charge(self) -> None:
        """Count a try with each."""
        for throttle, key in self._pairs:
            throttle.charge(key)

    def refund(self) -> None:
        """Take it back from each."""
        for throttle, key in self._pairs:
            throttle.refund(key)
