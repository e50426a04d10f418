"""Servers that nobody uses end, and no others: a class on the real engine, with a hub that restarts in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from firstbell.engine.waiting import until
from tests.support.class_visit import PASSWORD, invited
from tests.support.course import RunningCourse, docker, running
from tests.support.visitor import Visitor, send_cell

from .conftest import ROSTER, entries, with_servers

SERVER = 'memory = "256M"\nidle = "40s"\nidle_notice = "10s"\nkeep_most = "10m"\nwarm_kernels = false'
STAFF = '[[idle]]\nwho = "staff"\nidle = 0'
ASKED_BY_LAB = ("api/kernels", "api/terminals", "api/sessions", "api/contents")


@pytest.fixture
def course(tmp_path: Any) -> Iterator[RunningCourse]:
    """Forty seconds are long here; staff may stay."""
    (tmp_path / "roster.csv").write_text(ROSTER)
    with running(tmp_path, "test-idle", access='login = "roster"', server=SERVER, rest=STAFF) as up:
        yield up


async def open_page(visitor: Visitor, notices: list[float]) -> None:
    """What Lab asks while nobody sits before it, until there is no server any more."""
    while True:
        status, news = await visitor.ask("GET", "firstbell/companion")
        if status != 200 or "idle" not in news:
            if not with_nothing(news):
                return
        elif news["idle"]["notice"]:
            notices.append(news["idle"]["left"])
        for path in ASKED_BY_LAB:
            await visitor.ask("GET", path)
        await visitor.ask("PUT", "lab/api/workspaces/default", {"data": {}, "metadata": {"id": "default"}})
        await asyncio.sleep(1)  # as often as Lab asks, or more


def with_nothing(news: object) -> bool:
    """Whether the server is there and only the hub is away."""
    return isinstance(news, dict) and bool(news.get("away"))


async def test_whoever_uses_nothing_is_ended_and_nobody_else(course: RunningCourse) -> None:
    """A cell, a terminal's program, a wish and staff keep a server; an open page does not. Its owner reads why."""
    async with AsyncExitStack() as stack:
        grace, bob, cleo, dan, ada, eve = [
            await stack.enter_async_context(invited(course, name))
            for name in ("grace", "bob", "cleo", "dan", "ada", "eve")
        ]
        for visitor in (grace, bob, cleo, dan, ada, eve):
            await visitor.server()
        kernel = await bob.kernel()
        channel = await bob.channels(kernel)
        await send_cell(channel, "import time; time.sleep(900)")
        shell = await cleo.terminal("sleep 900")
        assert (await dan.ask("POST", "firstbell/companion/idle", {"keep": 300}))[0] == 200
        notices: list[float] = []
        page = asyncio.create_task(open_page(ada, notices))
        docker("restart", "-t", "5", course.container("hub"))

        async def both_gone() -> bool:
            return with_servers(course) == {"grace", "bob", "cleo", "dan"}

        await until(both_gone, deadline=180, first=1, longest=2)
        await asyncio.wait_for(page, 30)
        assert notices and max(notices) <= 10
        ended = {one["whom"]: (one["what"], one["who"]) for one in entries(course, "end")}
        assert ended == {"ada": ("idle", "idle rule"), "eve": ("idle", "idle rule")}
        home = await eve.open("hub/home")
        if "/hub/login" in home.url:
            home = await eve.log_in("eve", PASSWORD)
            home = await eve.open("hub/home")
        assert "as nobody had used it for 1 min." in home.text

        await bob.api("POST", f"kernels/{kernel}/interrupt")
        await shell.send_json(["stdin", "\x03"])
        assert (await dan.ask("POST", "firstbell/companion/idle", {"keep": 0}))[1]["kept"] == ""

        async def staff_alone() -> bool:
            return with_servers(course) == {"grace"}

        await until(staff_alone, deadline=180, first=5, longest=2)
        assert {one["what"] for one in entries(course, "end")} == {"idle"}
        await channel.close()
        await shell.close()
