"""The one waiting loop."""

from __future__ import annotations

import asyncio

import pytest

from firstbell.engine.waiting import until


async def test_returns_the_first_true_answer() -> None:
    """It asks again while the answer is empty, and returns the one that is not."""
    answers = iter([None, "", "yes", "no"])

    async def probe() -> str | None:
        return next(answers)

    assert await until(probe, deadline=5, first=0.001) == "yes"


async def test_deadline_holds_within_a_probe() -> None:
    """A probe that hangs does not outlive the deadline."""

    async def probe() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await until(probe, deadline=0.01)


async def test_errors_pass() -> None:
    """What the probe raises is the caller's."""

    async def probe() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await until(probe, deadline=1)
