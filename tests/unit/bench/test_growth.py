"""What is called flat or linear, and what a leak."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.growth_report import Moment, Size, record
from tests.unit.bench.test_page import MACHINE

MB = 1_000_000


def sizes(memory: Callable[[int], float], cpu: Callable[[int], float] = lambda _: 0.05) -> list[Size]:
    return [Size(n, 0.06, cpu(n), int(memory(n)), 60 * MB, 11 * MB, 0.02 * n, 0.1) for n in (50, 100, 200, 400)]


def day(memory: Callable[[int], float], tokens: Callable[[int], int] = lambda _: 240) -> list[Moment]:
    visits = range(100, 4100, 100)
    return [Moment(n, n / 10, int(memory(n)), 90 * MB, 9 * MB, 5 * MB, tokens(n), 900) for n in visits]


def missed(grown: list[Size], passed: list[Moment]) -> list[str]:
    return [figure.title.strip() for figure in record(grown, passed, 120, MACHINE).missed]


def test_a_straight_line_and_a_level_day_meet_every_goal() -> None:
    """Each server more costs the same, and a day leaves nothing but what its beginning filled: nothing is missed."""
    warm_up = lambda n: 150 * MB + min(n, 1500) * 4000  # noqa: E731
    assert missed(sizes(lambda n: 140 * MB + n * 80_000), day(warm_up)) == []


def test_memory_that_grows_ever_faster_is_missed() -> None:
    """Memory that grows with the square of the servers is not linear."""
    assert missed(sizes(lambda n: 140 * MB + n * n * 2000), day(lambda _: 150 * MB)) == [
        "bend of the line (1: straight)"
    ]


def test_starts_that_get_slower_are_missed() -> None:
    """A start that costs the hub twice as much with 400 servers as with 50 is not flat."""
    found = missed(sizes(lambda _: 140 * MB, lambda n: 0.05 + n / 8000), day(lambda _: 150 * MB))
    assert found == ["CPU of the hub per start, up to 400 servers"]


@pytest.mark.parametrize(("per_visit", "leaks"), [(300, False), (5000, True)])
def test_a_leak_is_what_goes_on_growing(per_visit: int, leaks: bool) -> None:
    """Five kilobytes kept of every visit are a leak, three hundred bytes are noise."""
    found = missed(sizes(lambda _: 140 * MB), day(lambda n: 150 * MB + n * per_visit))
    assert ("A day: the hub keeps, per thousand visits" in found) is leaks


def test_tokens_that_pile_up_are_missed() -> None:
    """A token kept of every visit is not bounded."""
    found = missed(sizes(lambda _: 140 * MB), day(lambda _: 150 * MB, lambda n: 240 + n))
    assert found == ["tokens in the database, second half of the day"]


def test_rows_of_both_parts_share_their_columns() -> None:
    """The CSV file has one head for sizes and moments."""
    rows = record(sizes(lambda n: n), day(lambda n: n), 120, MACHINE).rows
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert [row["part"] for row in rows[:5]] == ["growth"] * 4 + ["day"]
