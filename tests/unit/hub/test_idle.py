"""Idle servers and clocks that jump."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import jupyterhub_idle_culler
import pytest

from firstbell.hub.idle import Clock, every, watch


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


async def test_what_a_bell_keeps_is_not_idle(monkeypatch):
    """A server that waits for its person is left alone however long it is idle; any other is not."""
    asked = {}

    async def cull_idle(**given):
        asked.update(given)
        raise asyncio.CancelledError

    async def at_once(_):
        return None

    monkeypatch.setattr(jupyterhub_idle_culler, "cull_idle", cull_idle)
    monkeypatch.setattr(asyncio, "sleep", at_once)
    monkeypatch.setattr(Clock, "is_trusted", lambda _: True)
    with pytest.raises(asyncio.CancelledError):
        await watch(60, "http://x", "t", lambda user: user == "a b")
    is_to_end, hour = asked["cull_arbiter"], timedelta(hours=1)
    assert not is_to_end(inactive=hour, inactive_limit=60, server={"url": "/base/user/a%20b/"})
    assert is_to_end(inactive=hour, inactive_limit=60, server={"url": "/base/user/ada/"})
    assert not is_to_end(inactive=timedelta(seconds=59), inactive_limit=60, server={"url": "/base/user/ada/"})
