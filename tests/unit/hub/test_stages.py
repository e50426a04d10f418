"""A start in words."""

from __future__ import annotations

import asyncio

import pytest

from firstbell.hub.starts.queue import StartQueue
from firstbell.hub.starts.stages import Stages, ahead_words


async def test_progress_goes_up_and_is_told_once_per_stage():
    """Each stage is one event with its words, in rising progress; unknown stages are passed over."""
    stages = Stages("ada", StartQueue(2))
    events = stages.events()
    seen = [await anext(events)]
    for stage in ("home", "create", "nonsense", "start", "boot", "ready"):
        stages(stage)
        if stage != "nonsense":
            seen.append(await anext(events))
    progress = [event["progress"] for event in seen]
    assert progress == sorted(set(progress))
    assert "Jupyter is starting" in seen[-2]["message"]


async def test_the_place_in_the_queue_is_told():
    """Somebody who waits reads how many are before them."""
    queue = StartQueue(1)

    async def wait(user: str) -> None:
        async with queue.turn(user):
            pass

    async with queue.turn("first"):
        waiting = [asyncio.create_task(wait(user)) for user in ("bob", "ada")]
        await asyncio.sleep(0)
        event = Stages("ada", queue).event()
        assert "One person is before you" in event["message"]
        assert (event["place"], event["wait"]) == (2, "about 10 seconds"), "three starts of a first guess each"
        assert "your turn" in Stages("first", queue).event()["message"]
    await asyncio.gather(*waiting)


@pytest.mark.parametrize(("place", "words"), [(1, "You are next"), (2, "One person"), (3, "2 people are before you")])
def test_waiting_is_said_plainly(place, words):
    """Places are told as people say them."""
    assert ahead_words(place).startswith(words)
