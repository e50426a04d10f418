"""What the starts of the last hours came to: kept in memory, for `status` and for the figures."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firstbell.hub.records import chain
from firstbell.hub.starts.queue import Lane

_KEPT = 5000
STAGES = ("queue", "home", "engine", "boot")


class Outcome(StrEnum):
    """How a start ended."""

    READY = chain.READY
    FAILED = "failed"
    NO_ROOM = "no_room"
    """Refused: the machine's memory is full."""
    GIVEN_UP = "given_up"
    """Its person left while it waited for its turn."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A start that has come to its end. Times in seconds; `at` on the log's clock."""

    at: float
    lane: Lane
    outcome: Outcome
    cause: str
    """One word; empty for one that is ready."""
    stages: tuple[float, ...]
    """In the order of STAGES; those that were not reached are missing."""


class StartLog:
    """The last starts, oldest first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended: deque[Ended] = deque(maxlen=_KEPT)
        self.listeners: list[Callable[[Ended], None]] = []
        """Told of each."""

    def note(self, lane: Lane, outcome: Outcome, stages: tuple[float, ...], cause: str = "") -> None:
        """A start has ended; `stages` are the seconds of those that were done, in the order of STAGES."""
        ended = Ended(self._clock(), lane, outcome, cause, stages)
        self._ended.append(ended)
        for listener in self.listeners:
            listener(ended)

    def summary(self, seconds: float) -> dict[str, Any]:
        """The last `seconds` in figures: how many by outcome and cause, median and p95 of each stage of those ready."""
        since = self._clock() - seconds
        recent = [ended for ended in self._ended if ended.at >= since]
        ready = [ended for ended in recent if ended.outcome is Outcome.READY]
        outcomes = Counter(ended.outcome.value for ended in recent)
        return {
            "minutes": round(seconds / 60),
            "starts": {outcome.value: outcomes[outcome.value] for outcome in Outcome},
            "causes": dict(Counter(ended.cause for ended in recent if ended.outcome is Outcome.FAILED)),
            "stages": {
                stage: _figures([ended.stages[n] for ended in ready if len(ended.stages) > n])
                for n, stage in enumerate(STAGES)
            }
            | {"total": _figures([sum(ended.stages) for ended in ready])},
        }


def _figures(seconds: list[float]) -> dict[str, float] | None:
    """Median and 95th percentile, by the nearest rank; None where there is nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return {name: round(ordered[-(-part * len(ordered) // 100) - 1], 3) for name, part in (("p50", 50), ("p95", 95))}
