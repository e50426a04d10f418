"""What a crowd's visits come to: each stage's times, failures by cause. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstbell.rehearsal.visit import STAGES, Visit

WORDS = {
    "front": "first page",
    "login": "click → login answered",
    "spawn_page": "click → start page",
    "ready": "click → server ready",
    "lab": "click → Lab page",
    "files": "click → its files",
    "calls": "click → first screen",
    "notebook": "open notebook → opened",
    "kernel": "open notebook → kernel",
    "first_cell": "open notebook → first result",
    "cells": "slowest later cell",
    "again": "the page once more",
}
"""The stages as people would call them."""


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage over everybody who reached it; seconds."""

    stage: str
    count: int
    p50: float
    p95: float
    p99: float
    longest: float
    shortest: float

    @property
    def words(self) -> str:
        """For people."""
        return WORDS.get(self.stage, self.stage)


@dataclass(frozen=True, slots=True)
class Failures:
    """All to whom the same thing happened at the same stage."""

    stage: str
    cause: str
    count: int
    example: str
    """What one of them was told."""


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank); 0 of none."""
    if not sorted_values:
        return 0.0
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def stage_figures(visits: Iterable[Visit]) -> tuple[StageFigures, ...]:
    """Of each stage that anybody reached, in order."""
    taken = list(visits)
    found = []
    for stage in STAGES:
        times = sorted(visit.marks[stage] for visit in taken if stage in visit.marks)
        if times:
            p50, p95, p99 = (percentile(times, share) for share in (0.5, 0.95, 0.99))
            found.append(StageFigures(stage, len(times), p50, p95, p99, times[-1], times[0]))
    return tuple(found)


def failures(visits: Iterable[Visit]) -> tuple[Failures, ...]:
    """By stage and cause, the most frequent first."""
    bad = [visit for visit in visits if not visit.is_well]
    counted = Counter((visit.failed_at, visit.cause) for visit in bad)
    examples = {(visit.failed_at, visit.cause): visit.detail for visit in reversed(bad)}
    return tuple(Failures(*key, count, examples[key]) for key, count in counted.most_common())
