"""The engine is away or talks rubbish; nobody is declared dead for it (faults 3, 4)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from tests.contract.chaos import Chaos, Mood
from tests.stories.faults.test_hub import hub_answers, kill_hub
from tests.support.course import RunningCourse, running
from tests.support.visitor import Visitor


@pytest.fixture
async def chaotic(tmp_path) -> AsyncIterator[tuple[RunningCourse, Chaos]]:
    """A course whose hub speaks to the engine through a socket that can misbehave."""
    async with Chaos(tmp_path) as chaos:
        chaos.path.chmod(0o666)
        manager = running(
            tmp_path, "test-chaos", server='memory = "512M"\nidle = 0', rest=f'[engine]\nhost = "{chaos.host}"'
        )
        course = await asyncio.to_thread(manager.__enter__)
        try:
            yield course, chaos
        finally:
            chaos.mood = Mood.PASS
            await asyncio.to_thread(manager.__exit__, None, None, None)


async def test_a_daemon_that_talks_rubbish_ends_nobody(chaotic):
    """While every engine call fails, and across a hub restart in that time, no server is stopped."""
    course, chaos = chaotic
    async with Visitor(course.url) as visitor:
        await visitor.ready()
        kernel = await visitor.kernel()
        before = {s["Id"] for s in course.servers()}
        for mood in (Mood.ERROR, Mood.HANG, Mood.CUT, Mood.GARBAGE, Mood.EOF, Mood.STRANGER):
            chaos.mood = mood
            assert (await visitor.open("hub/home")).status == 200
            await kill_hub(course, signal.SIGKILL)
            await hub_answers(course)
            assert (await visitor.execute(f"print('{mood}')", kernel)).text == f"{mood}\n"
            chaos.mood = Mood.PASS
            assert (await visitor.open("hub/home")).status == 200
            assert {s["Id"] for s in course.servers() if s["State"]["Running"]} == before
