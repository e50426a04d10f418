"""What is said about crowds on a Swarm: goals beside the peer, what else the machine did, a side that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import swarm
from bench.swarm import Crowds
from tests.unit.bench.test_crowd import a_crowd, a_visit


def crowds(cold: float | None = 1.0, warm: float | None = 0.1, peer: float | None = 4.0, busy: float = 0.1) -> Crowds:
    """One turn; the peer's warm crowd takes 0.2 s."""
    sides = [[replace(a_crowd(a_visit(1, 0, lab)), busy_before=busy)] for lab in (cold, peer, 0.1, warm, 0.2)]
    cold_, peer_cold, alone, warm_, peer_warm = sides
    return Crowds(cold_, peer_cold, alone, warm_, peer_warm, (1, 0, 0))


def missed(found: Crowds) -> list[str]:
    return [figure.title.strip() for figure in swarm.figures(found) if not figure.is_met]


@pytest.mark.parametrize(
    ("found", "titles"),
    [
        (crowds(), []),
        (crowds(cold=1.1), ["p50"]),
        (crowds(cold=2.1), ["p50", "p95"]),
        (crowds(warm=0.21), ["p95"]),
        (crowds(cold=None), ["Cold: failed", "p50", "p95"]),
        (crowds(peer=None), ["p50", "p95"]),
    ],
)
def test_the_goals_are_beside_the_peer(found: Crowds, titles: list[str]) -> None:
    """A quarter and a half of the peer's cold waits and all of its warm ones are met, more is missed, as is nobody."""
    assert missed(found) == titles


def test_a_machine_with_other_work_is_said() -> None:
    """Figures of a busy machine say how busy it was; those of a quiet one nothing."""
    assert "up to 1.9 of its cores were busy" in swarm._said(crowds(busy=1.9), 60, 1)
    assert "busy before" not in swarm._said(crowds(), 60, 1)


def test_other_work_is_not_taken_for_a_side_s() -> None:
    """The CPU of the whole machine is shown where nothing else used it, and not where something did."""
    titles = [{figure.title for figure in swarm.figures(crowds(busy=busy))} for busy in (0.1, 1.9)]
    assert titles[0] - titles[1] == {"  CPU of the whole machine per person"}


def test_every_crowd_is_in_the_file() -> None:
    """The CSV file has a part for each kind of crowd on each side."""
    assert list(crowds().parts) == ["cold", "cold, peer", "alone, warm", "warm", "warm, peer"]
