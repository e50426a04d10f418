"""The statistics under the benchmarks' tables."""

from __future__ import annotations

import math

import pytest

from bench import stats


def test_a_percentile_lies_between_its_neighbours() -> None:
    """The median of an even number of values is the middle of the two, the ends are the lowest and the highest."""
    assert stats.percentile([4, 1, 3, 2], 50) == 2.5
    assert (stats.percentile([4, 1, 3, 2], 0), stats.percentile([4, 1, 3, 2], 100)) == (1, 4)
    assert stats.percentile(list(range(101)), 95) == 95


def test_no_values_have_no_percentile() -> None:
    """An empty crowd is an error, not a zero."""
    with pytest.raises(ValueError, match="no values"):
        stats.percentile([], 95)


def test_a_line_is_found_again() -> None:
    """Points of y = 3x + 2 give that slope and that intercept."""
    line = stats.fit([(50, 152), (100, 302), (200, 602)])
    assert line.slope == pytest.approx(3)
    assert line.intercept == pytest.approx(2)


def test_a_single_step_is_no_slope() -> None:
    """Level, one step, level again has no slope; a steady rise has its own, with a step in it or not."""
    level = [(float(x), 5.0 + (100 if x > 23 else 0)) for x in range(50)]
    assert stats.steady_slope(level) == pytest.approx(0)
    assert stats.steady_slope([(x, y + 2 * x) for x, y in level]) == pytest.approx(2)


def test_a_bend_tells_linear_from_steeper() -> None:
    """A straight line bends by 1, a parabola by more, a curve that levels off by less, one that falls not at all."""
    sizes = [50.0, 100.0, 200.0, 400.0]
    assert stats.bend([(x, 10 + 2 * x) for x in sizes], 0.1) == pytest.approx(1)
    assert stats.bend([(x, x * x) for x in sizes], 0.1) > 2
    assert stats.bend([(x, math.sqrt(x)) for x in sizes], 0.001) < 0.7
    assert stats.bend([(50, 5), (100, 6), (200, 4)], 0.1) == 0


def test_what_rises_only_at_the_end_is_no_line() -> None:
    """Level, level, then up is a bend as large as it rises; a level line with a little noise is none."""
    assert stats.bend([(50, 5), (100, 5), (200, 5), (400, 405)], 0.5) == pytest.approx(4)
    assert stats.bend([(50, 5), (100, 4), (200, 5), (400, 15)], 0.5) < 0.2


def test_order_kept_and_order_reversed() -> None:
    """The same order correlates by 1, the reverse one by -1, equal values share their rank."""
    assert stats.rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert stats.rank_correlation([1, 2, 3, 4], [40, 30, 20, 10]) == pytest.approx(-1)
    assert stats.rank_correlation([1, 1, 2, 2], [5, 5, 7, 7]) == pytest.approx(1)


def test_overtaking_is_counted_for_the_one_who_waits() -> None:
    """Whoever came first and was done last was overtaken by both others; they by nobody."""
    assert stats.overtaken([0, 1, 2], [9, 3, 4]) == [2, 0, 0]
