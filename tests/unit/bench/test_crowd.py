"""What is said about a crowd: its waits, its order, what the waiting were told."""

from __future__ import annotations

from typing import Any

import pytest

from bench import crowd, crowd_cold, crowd_warm
from bench.crowd import Crowd
from firstbell.hub.starts.stages import MANY, ahead_words
from firstbell.rehearsal.crowd import CrowdResult
from firstbell.rehearsal.load import Load
from firstbell.rehearsal.visit import Visit


def a_visit(number: int, arrived: float, lab: float | None, told: Any = ()) -> Visit:
    marks = {"front": 0.5} | ({"lab": lab} if lab is not None else {})
    failed = "" if lab is not None else "ready"
    return Visit(
        number, 1000.0 + arrived, marks=marks, told=list(told), failed_at=failed, cause="" if not failed else "503"
    )


def a_crowd(*visits: Visit, cpu: float = 1.0) -> Crowd:
    return Crowd(CrowdResult(visits, (Load(10, cpu, 0.2),), 1000.0), service_cpu=2.0, machine_cpu=3.0, busy_before=0.1)


@pytest.mark.parametrize("place", [1, 2, 30])
def test_our_own_words_tell_place_and_estimate(place: int) -> None:
    """What the hub says to somebody who waits counts as an explanation, for the next in line and for the thirtieth."""
    words = f"{MANY} {ahead_words(place)}; about 25 seconds."
    assert crowd.is_explained(a_visit(1, 0, 9, [(0.1, words)]))


def test_a_spinner_explains_nothing() -> None:
    """A start that is merely under way, or a place without an estimate, is no explanation."""
    assert not crowd.is_explained(a_visit(1, 0, 9, [(0.1, "Server requested"), (3.0, "Spawning server...")]))
    assert not crowd.is_explained(a_visit(1, 0, 9, [(0.1, "Many are starting at once. You are next.")]))


def test_a_slow_page_is_no_wait_for_a_turn() -> None:
    """A page that came late, whose start began at once, shows nobody in a queue."""
    late = a_visit(1, 0, 9, [(5.1, "Server requested"), (5.2, "Making your server …")])
    late.marks["spawn_page"] = 5.0
    assert crowd.waited([late]) == []


def test_waiting_is_told_from_starting() -> None:
    """Who waited is who was told of the start itself more than two seconds after the page was there."""
    at_once = a_visit(1, 0, 9, [(0.1, "Server requested"), (0.2, "Making your server …")])
    later = a_visit(2, 0, 9, [(0.1, "You are next; about 5 seconds."), (4.0, "Making your server …")])
    assert crowd.waited([at_once, later]) == [later]
    assert crowd_cold.explained(a_crowd(at_once, later)) == 100


def test_a_wait_without_a_word_is_not_explained() -> None:
    """One of two who waited was told nothing: half."""
    silent = a_visit(1, 0, 9, [(5.0, "Making your server …")])
    told = a_visit(2, 0, 9, [(0.1, "You are next; about 5 seconds."), (4.0, "Making your server …")])
    assert crowd_cold.explained(a_crowd(silent, told)) == 50


def test_order_counts_from_the_clicks() -> None:
    """Who clicked first and was there last was overtaken by both others, and the order is no longer theirs."""
    kept = a_crowd(a_visit(1, 0, 2), a_visit(2, 1, 2), a_visit(3, 2, 2))
    broken = a_crowd(a_visit(1, 0, 9), a_visit(2, 1, 2), a_visit(3, 2, 2))
    assert crowd_cold.order(kept) == pytest.approx(1)
    assert crowd_cold.most_overtaken(kept) == 0
    assert crowd_cold.order(broken) < 0.95
    assert crowd_cold.most_overtaken(broken) == 2


def test_failures_are_counted_and_named() -> None:
    """Whoever did not get in has no wait, counts as failed, and the goal of none is missed."""
    found = a_crowd(a_visit(1, 0, 2), a_visit(2, 1, None))
    assert found.waits == [2]
    assert found.causes() == {"ready: 503": 1}
    failed = next(figure for figure in crowd_cold.figures([found], [found]) if figure.title == "Failed")
    assert not failed.is_met


def test_nobody_got_in() -> None:
    """A crowd that failed altogether still gives a table, in which every goal about time is missed."""
    none, some = a_crowd(a_visit(1, 0, None)), a_crowd(a_visit(1, 0, 0.2))
    cold = crowd_cold.figures([none], [some])
    assert not cold[0].is_met
    warm = {figure.title: figure for figure in crowd_warm.figures([some], none, none, some, some)}
    assert not warm["  p95 (aim: 0.3 s)"].is_met
    assert not warm["Within 1 s: failed"].is_met


def test_the_warm_goals() -> None:
    """Three times one person alone is met, a hair more is missed; a third of the floor likewise."""
    alone, floor = [a_crowd(a_visit(1, 0, 0.1))], a_crowd(a_visit(1, 0, 6.0))
    good, bad = a_crowd(a_visit(1, 0, 0.3)), a_crowd(a_visit(1, 0, 0.31))

    def met(spread: Crowd, burst: float) -> list[bool]:
        found = crowd_warm.figures(alone, spread, a_crowd(a_visit(1, 0, burst)), floor, floor)
        return [figure.is_met for figure in found if figure.goal and figure.goal.of == "ratio"]

    assert met(good, 2.0) == [True, True]
    assert met(bad, 2.1) == [False, False]


def test_a_busy_client_is_said() -> None:
    """A client that was itself what was measured says so on the page."""
    result = CrowdResult((a_visit(1, 0, 1),), (Load(10, 9.0, 0.99),), 1000.0)
    assert "too busy" in Crowd(result, 1, 1, 0).told()
    assert "too busy" not in a_crowd(a_visit(1, 0, 1)).told()
