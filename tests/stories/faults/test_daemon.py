"""The Docker daemon is killed and begins anew while servers start: nothing is lost, and starts go on (fault 15).

On a daemon of its own: this machine's goes on for everybody else.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.cluster.courses.people import works
from tests.support.cluster import cluster
from tests.support.cluster_course import ClusterCourse
from tests.support.cluster_images import give_images
from tests.support.course import write_course
from tests.support.listening import free_port
from tests.support.visitor import Visitor

NAME = "test-daemon"
AT_WORK, ENTERING = 3, 10
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts a daemon in namespaces of its own")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """A seminar on a daemon that nobody else uses."""
    folder: Path = tmp_path_factory.mktemp("daemon")
    with cluster("daemon", nodes=1, swarm=False) as made:
        url = f"http://{made.manager.address}:{free_port()}"
        write_course(
            folder, NAME, top=f'url = "{url}"', access="capacity = 40", server='memory = "256M"\nidle = 0',
        )  # fmt: skip
        give_images(folder, made.manager)
        up = ClusterCourse(folder, NAME, url, made)
        up.cli("up", "--yes")
        yield up


async def test_a_killed_daemon_loses_nothing(course: ClusterCourse) -> None:
    """Ten start while it is killed: all come in; who was there reads what happened and has each file and one server."""
    machine = course.cluster.manager
    async with AsyncExitStack() as stack:
        early = [await stack.enter_async_context(Visitor(course.url)) for _ in range(AT_WORK)]
        late = [await stack.enter_async_context(Visitor(course.url)) for _ in range(ENTERING)]
        for visitor in early:
            await visitor.ready()
            assert "[exit 0]" in await visitor.sh(f"echo {visitor.user} > ~/mine && sync")
        # Whoever enters is led to the start of their server, and waits on its page.
        await asyncio.gather(*(visitor.enter() for visitor in late))

        async def under_way() -> bool:
            return len(course.servers()) > AT_WORK

        await until(under_way, deadline=60, first=0.02, longest=0.1)
        killed = time.monotonic()
        machine.crash_daemon()
        await asyncio.to_thread(machine.answers)
        again = time.monotonic() - killed
        said = await _page_of_one_that_ended(early[0])
        assert "ended while the course itself did not run" in said
        waited = await asyncio.gather(*(works(visitor) for visitor in [*late, *early]))
        for visitor in early:
            assert f"{visitor.user}\n[exit 0]" in await visitor.sh("cat ~/mine")
        users = sorted(visitor.user for visitor in [*early, *late])

        async def one_each() -> bool:
            return sorted(one["Config"]["Labels"]["firstbell.user"] for one in course.servers()) == users

        await until(one_each, deadline=60, first=0.2, longest=1.0)
        print(f"the daemon answers after {again:.1f} s, all {len(users)} run a cell {max(waited):.1f} s later; {said}")


async def _page_of_one_that_ended(visitor: Visitor) -> str:
    """What somebody reads whose server the daemon took along, once the hub is back."""
    said = ""

    async def told() -> bool:
        nonlocal said
        try:
            page = await visitor.open(f"user/{visitor.user}/lab")
        except aiohttp.ClientError:
            return False
        said = " ".join(re.sub("<[^>]*>", " ", page.text.partition("<main")[2].partition(">")[2]).split())
        return "/hub/" in page.text and bool(said)

    await until(told, deadline=60, first=0.2, longest=0.5)
    return said
