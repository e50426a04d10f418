"""The little statistics that the tables need. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through points, by least squares."""

    slope: float
    intercept: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which that many percent lie, linear between neighbours. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low, part = int(place), place - int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * part


def fit(points: Points) -> Line:
    """Raises ValueError for fewer than two different x."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / max(count, 1), sum(y for _, y in points) / max(count, 1)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        raise ValueError("a line needs two points with different x")
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return Line(slope, mean_y - slope * mean_x)


def steady_slope(points: Points, stretches: int = 5) -> float:
    """The middle one of the slopes of that many stretches: a single step, such as something loaded once, is no slope.

    Raises ValueError for fewer than two points for each stretch.
    """
    length = len(points) // stretches
    return median(fit(points[begin * length : (begin + 1) * length]).slope for begin in range(stretches))


def bend(points: Points, flat: float) -> float:
    """How much steeper the last stretch is than the whole before it: 1 is a straight line, 2 twice as steep.

    Three points at least, in order of x. A slope below `flat` counts as that much, so that a level line with noise is
    straight; what does not rise at the end has no bend.
    """
    *earlier, before, last = points
    before_slope = fit([*earlier, before]).slope
    last_slope = (last[1] - before[1]) / (last[0] - before[0])
    return max(last_slope, 0.0) / max(before_slope, flat)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: 1 for the same order, -1 for the reverse one, ties sharing their ranks. 1 where there is no order."""
    one, two = _ranks(first), _ranks(second)
    mean_one, mean_two = sum(one) / len(one), sum(two) / len(two)
    together = sum((a - mean_one) * (b - mean_two) for a, b in zip(one, two, strict=True))
    apart = math.sqrt(sum((a - mean_one) ** 2 for a in one) * sum((b - mean_two) ** 2 for b in two))
    return together / apart if apart else 1.0


def overtaken(arrived: Sequence[float], done: Sequence[float]) -> list[int]:
    """For each person how many who came later were done earlier."""
    people = list(zip(arrived, done, strict=True))
    return [sum(came > mine and was < own for came, was in people) for mine, own in people]


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]
