"""What the stories of homes share: a browser, and people of a roster who join and leave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.stories.people.conftest import chromium
from tests.support.course import RunningCourse
from tests.support.visitor import Visitor

__all__ = ["PASSWORD", "chromium", "joined", "stopped"]

PASSWORD = "four unrelated plain words"


@asynccontextmanager
async def joined(course: RunningCourse, username: str) -> AsyncIterator[Visitor]:
    """Somebody who logged in, at first by an invitation; in the end their server is gone."""
    async with Visitor(course.url) as visitor:
        page = await visitor.log_in(username, PASSWORD)
        if page.path.endswith("/hub/login"):
            told = json.loads(course.cli("people", "invite", username, "--json").stdout)
            link = (told if isinstance(told, list) else told["invitations"])[0]["link"]
            await visitor.submit(await visitor.open(link), password=PASSWORD, again=PASSWORD)
        visitor.user = username
        yield visitor
        await stopped(course, visitor)


async def stopped(course: RunningCourse, visitor: Visitor) -> None:
    """Stop their server, and wait until it is gone."""
    await stop_server(visitor)

    async def gone() -> bool:
        return visitor.user not in {server["Config"]["Labels"]["firstbell.user"] for server in course.servers()}

    await until(gone, deadline=60)
