"""Hub and proxy die, freeze and come back; people's work does not notice (faults 1, 2, 5, 6, 7, 11, 12)."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse, docker
from tests.support.visitor import Visitor, collect, send_cell

PEOPLE = 4
KILLS = 3

COUNT = """
import time
for i in range(25):
    print(i, flush=True)
    time.sleep(0.4)
"""


async def hub_answers(course: RunningCourse) -> None:
    """Wait until the hub answers through the edge."""

    async def asked() -> bool:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{course.url}/hub/health") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

    await until(asked, deadline=60, first=0.05, longest=0.2)


async def kill_hub(course: RunningCourse, number: signal.Signals) -> None:
    """Kill the hub's process as a crash would, and wait until its container has another that answers."""
    before = course.pid("hub", "firstbell.hub")
    os.kill(before, number)
    await until(lambda: _gone(before), deadline=60, first=0.02, longest=0.1)
    await hub_answers(course)


async def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_running_cells_outlive_the_hub(seminar, visit, number):
    """While the hub is killed again and again every running cell's output arrives and no server is lost."""
    visitors = [await visit() for _ in range(PEOPLE)]
    before = {s["Id"] for s in seminar.servers()}
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(await v.channels(await v.kernel())) for v in visitors]
        sent = [await send_cell(channel, COUNT) for channel in channels]
        collecting = [asyncio.create_task(collect(c, s)) for c, s in zip(channels, sent, strict=True)]
        for _ in range(KILLS):
            await kill_hub(seminar, number)
        outcomes = await asyncio.gather(*collecting)
    assert [o.text.split() for o in outcomes] == [[str(i) for i in range(25)]] * PEOPLE
    assert {s["Id"] for s in seminar.servers()} == before
    for visitor in visitors:
        assert (await visitor.execute("print('still here')")).text == "still here\n"
        assert (await visitor.open("hub/home")).status == 200


async def test_frozen_server_is_not_stopped(seminar, visit):
    """A server that does not answer while the hub restarts is left alone and answers again when it thaws (fault 5)."""
    visitor = await visit()
    name = seminar.server_of(visitor.user)["Name"].lstrip("/")
    docker("pause", name)
    try:
        await kill_hub(seminar, signal.SIGKILL)
        await hub_answers(seminar)
        page = await visitor.open("hub/home")
        assert page.status == 200
        assert docker("inspect", "-f", "{{.State.Status}}", name) == "paused"
    finally:
        docker("unpause", name)
    assert (await visitor.execute("print('thawed')")).text == "thawed\n"


async def test_proxy_is_back_within_five_seconds(seminar, visit):
    """After the proxy is killed everybody is reachable again within 5 s (fault 6)."""
    visitors = [await visit() for _ in range(PEOPLE)]
    loop = asyncio.get_running_loop()
    started = loop.time()
    os.kill(seminar.pid("proxy", "configurable-http-proxy"), signal.SIGKILL)

    async def reachable() -> bool:
        try:
            answers = await asyncio.gather(*(v.api("GET", "status") for v in visitors))
        except aiohttp.ClientError:
            return False
        return all(status == 200 for status, _ in answers)

    assert not await reachable()
    await until(reachable, deadline=60, first=0.05, longest=0.1)
    assert loop.time() - started < 5


async def test_planted_routes_are_corrected(seminar, visit):
    """A wrong route is put right, an extra one removed, and nobody meets a stranger's server (fault 7)."""
    ada, ben = await visit(), await visit()
    token = seminar.proxy_token()
    gateway = docker(
        "network", "inspect", f"firstbell-{seminar.name}-servers", "-f", "{{(index .IPAM.Config 0).Gateway}}"
    )
    api = f"http://127.{gateway.split('.', 1)[1]}:18001/api/routes"
    headers = {"Authorization": f"token {token}"}
    async with aiohttp.ClientSession(headers=headers) as proxy:
        routes = await (await proxy.get(api)).json()
        target = routes[f"/user/{ben.user}"]["target"]
        for path in (f"user/{ada.user}", "user/stranger"):
            async with proxy.post(f"{api}/{path}", json={"target": target}) as answer:
                assert answer.status == 201
        status, body = await ada.api("GET", "status")
        assert status in {403, 404}, body

        async def corrected() -> bool:
            now = await (await proxy.get(api)).json()
            right = now.get(f"/user/{ada.user}", {}).get("target") == routes[f"/user/{ada.user}"]["target"]
            return right and "/user/stranger" not in now

        await until(corrected, deadline=40, first=0.2, longest=1.0)
    assert (await ada.api("GET", "status"))[0] == 200


@pytest.mark.parametrize("after", [0.0, 0.15, 0.3, 0.45, 0.7])
async def test_start_cut_anywhere_leaves_nothing(seminar, after):
    """A hub killed at any moment of a start leaves no orphan, and the same person gets in afterwards (fault 11)."""
    async with Visitor(seminar.url) as visitor:
        page = await visitor.enter()
        await asyncio.sleep(after)  # the moment of the kill is the parameter, not a wait for something
        await kill_hub(seminar, signal.SIGKILL)
        page = await visitor.server()
        assert page.status == 200
        mine = [s for s in seminar.servers() if s["Config"]["Labels"]["firstbell.user"] == visitor.user]
        assert len(mine) == 1
        assert (await visitor.execute("print(1)")).text == "1\n"
        await stop_server(visitor)
    await until(lambda: _no_strays(seminar), deadline=60, first=0.1, longest=1.0)


async def _no_strays(course: RunningCourse) -> bool:
    label = f"label=firstbell.course={course.name}"
    states = docker("ps", "-a", "--filter", label, "--format", '{{.State}} {{.Label "firstbell.role"}}').splitlines()
    return all(s.startswith("running") for s in states) and not [s for s in states if s.endswith(("server", "helper"))]


async def test_one_slow_start_holds_up_nobody(seminar):
    """While one person's server takes for ever to start, ten others get theirs (fault 12)."""
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(Visitor(seminar.url))
        await slow.ready()
        await slow.sh(
            "mkdir -p ~/.jupyter && echo 'import time; time.sleep(600)' > ~/.jupyter/jupyter_server_config.py"
        )
        await stop_server(slow)
        await until(lambda: _stopped(seminar, slow.user), deadline=60, first=0.1, longest=0.5)
        held = asyncio.create_task(slow.server(deadline=300))
        others = [await stack.enter_async_context(Visitor(seminar.url)) for _ in range(10)]
        try:
            await asyncio.wait_for(asyncio.gather(*(o.ready() for o in others)), 90)
            assert not held.done()
        finally:
            held.cancel()
            await asyncio.gather(*(stop_server(v) for v in [slow, *others]))


async def _stopped(course: RunningCourse, user: str) -> bool:
    return all(s["Config"]["Labels"]["firstbell.user"] != user for s in course.servers())
