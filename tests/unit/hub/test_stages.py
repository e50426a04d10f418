"""A start in words."""

from __future__ import annotations

import asyncio

import pytest

from firstbell.hub.stages import Stages, waiting_words
from firstbell.hub.start_queue import StartQueue


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
        assert "One person is before you" in Stages("ada", queue).event()["message"]
    await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    ("place", "seconds", "words"),
    [
        (0, 3, "your turn"),
        (1, 3, "You are next; about 5 seconds"),
        (3, 22, "2 people are before you; about 25 seconds"),
        (40, 61, "39 people are before you; about a minute"),
        (90, 140, "89 people are before you; about 2 minutes"),
    ],
)
def test_waiting_is_said_plainly(place, seconds, words):
    """Places and times are rounded as people say them."""
    assert words in waiting_words(place, seconds)
