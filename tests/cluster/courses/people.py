"""People on a cluster: entering until every node has one, being told, working again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.cluster import Node
from tests.support.cluster_course import ClusterCourse, evidence
from tests.support.visitor import Visitor

MOST = 9
"""So many enter until every node has somebody."""
TOLD_WITHIN = 10.0
"""Seconds after which a person knows that their node is away."""


@asynccontextmanager
async def people_on_every_node(course: ClusterCourse, *wanted: Node) -> AsyncIterator[dict[Node, Visitor]]:
    """Somebody whose server runs, on each (wanted) node; all of them go home at the end."""
    needed = set(wanted or course.cluster.nodes)
    async with AsyncExitStack() as stack:
        found: dict[Node, Visitor] = {}
        for _ in range(MOST // 3):
            visitors = [await stack.enter_async_context(Visitor(course.url)) for _ in range(3)]
            await asyncio.gather(*(visitor.ready() for visitor in visitors))
            for visitor in visitors:
                stack.push_async_callback(go_home, visitor)
                found.setdefault(course.node_of(visitor.user), visitor)
            if needed <= found.keys():
                break
        assert needed <= found.keys(), evidence(course)
        try:
            yield found
        finally:
            await asyncio.to_thread(course.mend)


async def told(visitor: Visitor, node: Node, deadline: float = 60) -> float:
    """Seconds until the person's own page says that the node does not answer."""
    started = time.monotonic()

    async def says_so() -> bool:
        try:
            async with asyncio.timeout(5):
                page = await visitor.open(f"user/{visitor.user}/lab")
        except (TimeoutError, aiohttp.ClientError):
            return False
        return "does not answer" in page.text and node.name in page.text

    await until(says_so, deadline=deadline, first=0.2, longest=0.2)
    return time.monotonic() - started


async def works(visitor: Visitor, deadline: float = 180) -> float:
    """Seconds until the person runs a cell, starting their server if it does not run."""
    started = time.monotonic()

    async def runs_a_cell() -> bool:
        try:
            await visitor.server()
            return (await visitor.execute("print('here')", deadline=20)).text == "here\n"
        except (TimeoutError, AssertionError, aiohttp.ClientError, ConnectionError):
            return False

    await until(runs_a_cell, deadline=deadline, first=0.5, longest=1)
    return time.monotonic() - started


async def go_home(visitor: Visitor) -> None:
    """Stop their server."""
    async with asyncio.timeout(60):
        await stop_server(visitor)
