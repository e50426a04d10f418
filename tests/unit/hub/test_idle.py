"""Idle servers and clocks that jump."""

from __future__ import annotations

import pytest

from firstbell.hub.idle import Clock, every


class Clocks:
    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.steady = 50.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def clock(self, idle: float) -> Clock:
        return Clock(idle, lambda: self.wall, lambda: self.steady)


def test_a_steady_clock_is_trusted():
    """Once servers have had time to report to a new hub, idle ones are stopped."""
    clocks = Clocks()
    clock = clocks.clock(3600)
    clocks.pass_time(119)
    assert not clock.is_trusted()
    clocks.pass_time(1)
    for _ in range(10):
        clocks.pass_time(300)
        assert clock.is_trusted()


@pytest.mark.parametrize("jump", [3600.0, 86400.0, -3600.0, -86400.0])
def test_after_a_jump_a_whole_idle_time_passes(jump):
    """An hour or a day ahead or back makes nobody idle (fault 13); later idleness counts again."""
    clocks = Clocks()
    clock = clocks.clock(3600)
    clocks.wall += jump
    assert not clock.is_trusted()
    clocks.pass_time(3599)
    assert not clock.is_trusted()
    clocks.pass_time(1)
    assert clock.is_trusted()


@pytest.mark.parametrize(("idle", "seconds"), [(60, 10), (600, 60), (3600, 300), (86400, 300)])
def test_looks_are_frequent_enough(idle, seconds):
    """A server is stopped at most a tenth of its idle time late, but the hub is not asked all the time."""
    assert every(idle) == seconds
