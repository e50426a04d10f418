"""How fast the queue moves, from what the last starts took. Pure, but for what it remembers."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from statistics import fmean, median, median_low

FIRST_GUESS = 3.0
"""Seconds of a start, as long as none was measured."""
CROWDED = 1.5
"""How much longer a start takes when all slots are taken, as long as that was not measured (decision 18)."""
_REMEMBERED = 20
_LEAST_LEFT = 0.25
"""Of a start's own age: what one that takes longer than others is expected to take still."""


class Pace:
    """What starts took lately, apart for those that had the machine to themselves and those in a full queue."""

    def __init__(self) -> None:
        self._alone: deque[float] = deque(maxlen=_REMEMBERED)
        self._crowded: deque[float] = deque(maxlen=_REMEMBERED)
        self._whole: deque[float] = deque(maxlen=_REMEMBERED)

    def took(self, seconds: float, *, crowded: bool) -> None:
        """A start has held its slot for that long."""
        (self._crowded if crowded else self._alone).append(seconds)

    def finished(self, seconds: float) -> None:
        """A start has succeeded after that long, whether it still held its slot or not."""
        self._whole.append(seconds)

    def normal(self) -> float:
        """Seconds that a start takes which succeeds; 0 as long as none has."""
        return median(self._whole) if self._whole else 0.0

    def hold(self) -> float:
        """Seconds on average for which a start in a full queue holds its slot: slots over this is the throughput."""
        return fmean(self._crowded) if self._crowded else self._guess()

    def own(self) -> float:
        """Seconds that somebody's own start is likely to take in a full queue; one slow one does not change it."""
        return median(self._crowded) if self._crowded else self._guess()

    def _guess(self) -> float:
        return CROWDED * fmean(self._alone) if self._alone else FIRST_GUESS


def waits(line: int, ages: Sequence[float], free: int, hold: float, longest: float) -> Iterator[float]:
    """Seconds until each of `line` people is called, in their order.

    `ages` are the seconds for which each taken slot has been held, `free` how many are not; a slot is held for `hold`
    seconds, and for `longest` at most. Where most of those that run have taken longer already, all others will, too.
    """
    lefts = [_left(age, hold, longest) for age in ages]
    slots = lefts + [0.0] * free
    if ages:
        hold = max(hold, median_low(age + left for age, left in zip(ages, lefts, strict=True)))
    heapq.heapify(slots)
    for _ in range(line if slots else 0):
        called = slots[0]
        heapq.heapreplace(slots, called + hold)
        yield called


def _left(age: float, hold: float, longest: float) -> float:
    return max(0.0, min(longest - age, max(hold - age, _LEAST_LEFT * age)))
