"""What a figure says: its values, its ratio, its goal met or missed."""

from __future__ import annotations

import json

import pytest

from bench.figures import Figure, at_least, at_most, part, table


def test_a_missed_goal_is_said() -> None:
    """A bound that is exceeded is missed, in bold, with the bound."""
    figure = Figure("Memory", (52.0,), (118.0,), "MB", at_most(45))
    assert not figure.is_met
    assert figure.verdict == "**missed** (≤ 45 MB)"


def test_what_was_not_measured_meets_no_goal() -> None:
    """No value of ours, or none to compare with, is a miss that says why."""
    assert not Figure("Time", (), (2.0,), "s", part(0.2)).is_met
    assert not Figure("Time", (1.0,), (), "s", part(0.2)).is_met
    assert "not measured" in Figure("Time", (1.0,), (), "s", part(0.2)).verdict
    assert not Figure("Known", (), goal=at_least(1)).is_met


@pytest.mark.parametrize(("ours", "met"), [(0.2, True), (0.21, False)])
def test_a_ratio_is_of_medians(ours: float, met: bool) -> None:
    """The median of our runs as part of the median of the peer's decides, an outlier does not."""
    figure = Figure("Click → Lab", (ours, ours, 9.0), (0.1, 1.0, 1.0), "s", part(0.2))
    assert figure.ratio == pytest.approx(ours)
    assert figure.is_met is met


def test_a_lower_bound_counts_upwards() -> None:
    """`at_least` is met by the bound itself and missed below."""
    assert Figure("Order", (0.99,), goal=at_least(0.99)).is_met
    assert not Figure("Order", (0.98,), goal=at_least(0.99)).is_met


def test_the_table_shows_medians_spread_and_parts() -> None:
    """One row per figure: median (lowest – highest) with the unit, the ratio, the verdict; parts are indented."""
    rows = table(
        [Figure("Click", (0.4, 0.5, 0.6), (2.0, 2.5, 3.0), "s", part(0.25)), Figure("  server", (12.3,), unit="s")],
        "the peer",
    ).splitlines()
    assert rows[0].split("|")[3].strip() == "the peer"
    assert rows[2] == "| Click | 0.50 s (0.40 – 0.60) | 2.50 s (2.00 – 3.00) | 0.20 | met (≤ 0.25 of the peer's) |"
    assert rows[3] == "| – server | 12.3 s | – |  |  |"


def test_a_figure_survives_json() -> None:
    """What is written to the results is read back as it was, goal included."""
    figure = Figure("Click", (0.4,), (2.0,), "s", part(1 / 3), "one person's")
    assert Figure.of_plain(json.loads(json.dumps(figure.plain()))) == figure
