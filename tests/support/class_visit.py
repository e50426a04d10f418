"""Somebody of a roster who comes to a real course for the first time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.course import RunningCourse
from tests.support.visitor import Visitor

PASSWORD = "four unrelated plain words"


@asynccontextmanager
async def invited(course: RunningCourse, username: str) -> AsyncIterator[Visitor]:
    """Somebody who follows their personal link and sets a password."""
    link = json.loads(course.cli("people", "invite", username, "--json").stdout)[0]["link"]
    async with Visitor(course.url) as visitor:
        page = await visitor.open(link)
        await visitor.submit(page, password=PASSWORD, again=PASSWORD)
        yield visitor
