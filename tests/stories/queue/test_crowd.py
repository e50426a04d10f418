"""Many at once, at a hub whose servers cost nothing: nobody gets an error because others came too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from firstbell.engine.waiting import until
from firstbell.model.container import GIB, MIB
from firstbell.model.course import Course
from firstbell.model.secret import Secret
from tests.support.engineless_hub import IMAGE, EnginelessHub, engineless_hub
from tests.support.visitor import Visitor

TOKEN = "0123456789abcdef0123456789abcdef"
COURSE = Course(
    name="test-crowd",
    url="http://127.0.0.1:1",
    access={"capacity": 200},
    server={"image": IMAGE, "timeout": 60},
    metrics={"token": Secret("env:TOKEN", TOKEN)},
)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[EnginelessHub]:
    async with engineless_hub(tmp_path, 241, course=COURSE, seconds=0.05, left=1.5) as running:
        yield running


class Click:
    """Somebody who opens the course and waits on the spawn page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.statuses: list[int] = []
        self.events: list[dict[str, Any]] = []

    @property
    def places(self) -> list[int]:
        return [event["place"] for event in self.events if "place" in event]

    async def enter(self) -> str:
        """Up to the spawn page; the user's name."""
        page = await self.visitor.enter()
        self.statuses.append(page.status)
        page = await self.visitor.open("hub/spawn")
        self.statuses.append(page.status)
        self.user = page.path.rstrip("/").rpartition("/")[2]
        self.page = page
        return self.user

    async def wait(self) -> None:
        """Follow the progress to its end."""
        async for event in self.visitor.progress(self.page):
            self.events.append(event)

    async def wait_for_place(self) -> int:
        """Until the page tells a place in the queue."""
        async for event in self.visitor.progress(self.page):
            self.events.append(event)
            if "place" in event:
                return int(event["place"])
        raise AssertionError(self.events)

    async def leaves(self) -> None:
        """As the page's script does when it is closed."""
        xsrf = self.visitor.cookie("_xsrf", "hub/")
        async with self.visitor.session.post(
            f"{self.visitor.url}hub/firstbell/leave", data={"_xsrf": xsrf}, headers={"Referer": self.page.url}
        ) as answer:
            assert answer.status == 204, await answer.text()


async def test_a_hundred_at_once(hub):
    """A hundred clicks at once: no answer but 200, everybody gets in, and nobody's place ever goes up."""

    async def one() -> Click:
        async with Visitor(hub.url) as visitor:
            click = Click(visitor)
            await click.enter()
            await click.wait()
            return click

    clicks = await asyncio.gather(*(one() for _ in range(100)))
    assert {status for click in clicks for status in click.statuses} == {200}
    assert all(click.events[-1].get("ready") for click in clicks)
    assert all(click.places == sorted(click.places, reverse=True) for click in clicks)
    assert "Traceback" not in hub.log()


async def test_who_leaves_the_page_leaves_the_queue(hub):
    """A closed page gives up its place; who comes back queues anew, without an error; a reload keeps the place."""
    hub.wish(hang=True)
    async with Visitor(hub.url) as a, Visitor(hub.url) as b, Visitor(hub.url) as c, Visitor(hub.url) as d:
        async with Visitor(hub.url) as e, Visitor(hub.url) as f:
            clicks = [Click(v) for v in (a, b, c, d, e, f)]
            for click in clicks:
                await click.enter()
            leaver, other = clicks[3], clicks[4]
            assert await leaver.wait_for_place() == 1
            assert await other.wait_for_place() == 2
            await other.leaves()
            follows = asyncio.ensure_future(other.wait())
            await leaver.leaves()
            given_up = f"The start of {leaver.user} was given up"

            async def is_given_up() -> bool:
                return given_up in hub.log()

            await until(is_given_up, deadline=8)
            hub.wish(hang=False)
            await asyncio.wait_for(follows, 60)
            assert other.events[-1].get("ready"), "the page had come back"
            page = await leaver.visitor.open(f"hub/spawn-pending/{leaver.user}")
            assert page.status == 200
            assert "Your Jupyter is starting" in page.text
            leaver.page = page
            await leaver.wait()
            assert leaver.events[-1].get("ready")


async def test_a_full_memory_refuses_in_words_and_lets_in_again(hub):
    """What the memory does not hold is refused before it disturbs anybody, with numbers, and let in once it fits."""
    hub.has_memory(4 * GIB, 256 * MIB)
    async with Visitor(hub.url) as visitor:
        click = Click(visitor)
        await click.enter()
        await click.wait()
        assert click.events[-1]["failed"]
        assert "memory is full: no servers run, 256 MiB of 4.0 GiB are left" in click.events[-1]["message"]
        page = await visitor.open(f"hub/spawn-pending/{click.user}")
        assert "There is no room at the moment" in page.text
        assert hub.control("figures")["recent"]["starts"]["no_room"] >= 1
        hub.has_memory(4 * GIB, 2 * GIB)
        click.page = await visitor.open("hub/spawn")
        await click.wait()
        assert click.events[-1]["ready"]


async def test_figures_are_for_those_who_may_read_them(hub):
    """The course's token reads the figures and nothing else; without it they are closed, as is what status asks."""
    async with aiohttp.ClientSession() as session:

        async def get(path: str, **headers: str) -> tuple[int, str]:
            async with session.get(f"{hub.url}hub/{path}", headers=headers) as answer:
                return answer.status, await answer.text()

        key = {"Authorization": f"token {TOKEN}"}
        status, text = await get("metrics", **key)
        assert status == 200
        assert "firstbell_queue_waiting" in text
        assert "jupyterhub_" in text
        assert (await get("metrics"))[0] == 403
        assert (await get("metrics", Authorization="token wrong-wrong-wrong-wrong"))[0] == 403
        assert (await get("api/users", **key))[0] == 403
        assert (await get("firstbell/figures", **key))[0] == 403


async def test_a_token_that_left_the_file_is_void(tmp_path):
    """After a new token the old one reads nothing."""
    new = "f" * 32

    async def answers(token: Secret) -> list[int]:
        course = COURSE.model_copy(update={"metrics": COURSE.metrics.model_copy(update={"token": token})})
        async with engineless_hub(tmp_path, 244, course=course) as hub, aiohttp.ClientSession() as session:
            found = []
            for shown in (TOKEN, new):
                headers = {"Authorization": f"token {shown}"}
                async with session.get(f"{hub.url}hub/metrics", headers=headers) as answer:
                    found.append(answer.status)
            return found

    assert await answers(Secret("env:TOKEN", TOKEN)) == [200, 403]
    assert await answers(Secret("env:TOKEN", new)) == [403, 200]
