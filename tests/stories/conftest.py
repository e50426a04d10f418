"""What stories share: a seminar that is up for all of them, and visitors that go home at the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.course import RunningCourse, running
from tests.support.visitor import Visitor

Visit = Callable[[], Awaitable[Visitor]]


@pytest.fixture(scope="session")
def seminar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar of forty seats with small servers."""
    with running(
        tmp_path_factory.mktemp("seminar"),
        f"test-seminar-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}",
        access="capacity = 40",
        server='memory = "512M"\npids = 200\nidle = 0',
    ) as course:
        yield course


@pytest.fixture
async def visit(seminar: RunningCourse) -> AsyncIterator[Visit]:
    """Makes visitors of the seminar who have entered and whose server runs; stops their servers afterwards."""
    async with AsyncExitStack() as stack:

        async def enter() -> Visitor:
            visitor = await stack.enter_async_context(Visitor(seminar.url))
            await visitor.ready()
            stack.push_async_callback(stop_server, visitor)
            return visitor

        yield enter


async def stop_server(visitor: Visitor) -> None:
    """Stop the visitor's own server through the hub's API, as the home page's button does."""
    token = visitor.cookie("_xsrf", "hub/")
    async with visitor.session.delete(
        f"{visitor.url}hub/api/users/{visitor.user}/server",
        headers={"X-XSRFToken": token, "Referer": f"{visitor.url}hub/home"},
    ):
        pass
