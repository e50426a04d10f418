"""Round steps for the axis of a plot."""

from __future__ import annotations

import math

_MOST_STEPS = 8


def round_steps(most: float) -> tuple[float, int]:
    """A round step, and how many of it reach `most`: four to eight."""
    if most <= 0:
        return 1.0, 1
    size = 10 ** math.floor(math.log10(most))
    for factor in (0.1, 0.2, 0.25, 0.5, 1):
        steps = math.ceil(round(most / (size * factor), 6))
        if steps <= _MOST_STEPS:
            return size * factor, steps
    return float(size), math.ceil(most / size)
