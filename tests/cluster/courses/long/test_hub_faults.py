"""Hub, proxy and the other parts die, hang and come back; nobody's work on any node notices (faults 1–7, 11, 12)."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from contextlib import AsyncExitStack

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.cluster.courses.parts import (
    frozen_daemon,
    ids,
    kill,
    kill_hub,
    routes_address,
    strays,
)
from tests.cluster.courses.people import go_home, people_on_every_node, works
from tests.support.cluster_course import ClusterCourse, evidence
from tests.support.visitor import Visitor, collect, send_cell

KILLS = 3
OTHERS = 5
COUNT = """
import itertools, os, time
for number in itertools.count():
    print(number, flush=True)
    if os.path.exists({stop!r}):
        break
    time.sleep(0.2)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_running_cells_outlive_the_hub(seminar: ClusterCourse, number: signal.Signals) -> None:
    """While the hub is killed again and again every cell's output arrives from every node, and no server is lost."""
    async with people_on_every_node(seminar) as people, AsyncExitStack() as stack:
        visitors = list(people.values())
        before = ids(seminar, *(v.user for v in visitors))
        stop = f"/tmp/stop-{uuid.uuid4().hex}"
        channels = [await stack.enter_async_context(await v.channels(await v.kernel())) for v in visitors]
        sent = [await send_cell(channel, COUNT.format(stop=stop)) for channel in channels]
        collecting = [asyncio.create_task(collect(c, s)) for c, s in zip(channels, sent, strict=True)]
        back = [await kill_hub(seminar, number) for _ in range(KILLS)]
        await asyncio.gather(*(v.sh(f"touch {stop}") for v in visitors))
        for outcome in await asyncio.gather(*collecting):
            lines = outcome.text.split()
            assert lines == [str(n) for n in range(len(lines))]
            assert len(lines) > sum(back), "it ran all the while"
        assert ids(seminar, *before) == before, evidence(seminar)
        for visitor in visitors:
            assert (await visitor.open("hub/home")).status == 200
        print(f"{number.name}: the hub's pages were back after {', '.join(f'{s:.1f}' for s in back)} s")


async def test_a_hub_that_starts_while_daemons_hang_and_servers_are_frozen_stops_nobody(seminar: ClusterCourse) -> None:
    """A worker's daemon answers nobody, another worker's server is frozen, the hub starts anew: nobody is stopped."""
    async with people_on_every_node(seminar) as people:
        before = ids(seminar, *(v.user for v in people.values()))
        hung, cold = seminar.cluster.workers
        name = seminar.server_of(people[cold].user)["Id"]
        cold.docker("pause", name)
        try:
            async with frozen_daemon(hung):
                await kill_hub(seminar)
                assert (await people[hung].execute("print('on')")).text == "on\n"
                assert [(await v.open("hub/home")).status for v in people.values()] == [200] * len(people)
            assert cold.docker("inspect", "--format", "{{.State.Status}}", name) == "paused"
        finally:
            cold.docker("unpause", name)
        for visitor in people.values():
            assert (await visitor.execute("print('thawed')")).text == "thawed\n"
        assert ids(seminar, *before) == before, evidence(seminar)


async def test_a_manager_that_hangs_ends_nobody(seminar: ClusterCourse) -> None:
    """While the manager's daemon answers nobody, pages come and cells run on all nodes; afterwards a start succeeds."""
    async with people_on_every_node(seminar) as people, Visitor(seminar.url) as late:
        before = ids(seminar, *(v.user for v in people.values()))
        await late.enter()
        async with frozen_daemon(seminar.cluster.manager):
            for visitor in people.values():
                assert (await visitor.execute("print('on')")).text == "on\n"
                assert (await visitor.open("hub/home")).status == 200
            started = time.monotonic()
            events = [event async for event in late.progress(await late.open("hub/spawn"))]
            print(f"a start ended after {time.monotonic() - started:.1f} s: {events[-1]}")
            assert events[-1].get("failed"), events
        await works(late)
        await go_home(late)
        assert ids(seminar, *before) == before, evidence(seminar)


async def test_the_proxy_is_back_within_seconds(seminar: ClusterCourse) -> None:
    """After the proxy is killed everybody is reachable again on every node (fault 6)."""
    async with people_on_every_node(seminar) as people:
        started = time.monotonic()
        await kill(seminar.cluster.manager, seminar.service("proxy"))

        async def reachable() -> bool:
            try:
                answers = await asyncio.gather(*(v.api("GET", "status") for v in people.values()))
            except aiohttp.ClientError:
                return False
            return all(status == 200 for status, _ in answers)

        await until(reachable, deadline=60, first=0.1, longest=0.2)
        print(f"reachable {time.monotonic() - started:.1f} s after the proxy was killed")


async def test_planted_routes_are_corrected(seminar: ClusterCourse) -> None:
    """A wrong route is put right, an extra one removed, and nobody meets a stranger's server (fault 7)."""
    async with people_on_every_node(seminar) as people:
        ada, ben, *_ = people.values()
        address, token = routes_address(seminar)

        def ask(*words: str) -> str:
            header = f"Authorization: token {token}"
            return seminar.cluster.manager.run("curl", "-sf", "-H", header, *words).stdout

        def targets() -> dict[str, str]:
            return {path: facts["target"] for path, facts in json.loads(ask(address)).items()}

        before = targets()
        wrong = json.dumps({"target": before[f"/user/{ben.user}"]})
        for path in (f"user/{ada.user}", "user/stranger"):
            ask("-X", "POST", "-d", wrong, f"{address}/{path}")
        planted = time.monotonic()
        status, body = await ada.api("GET", "status")
        assert status in {403, 404}, body

        async def corrected() -> bool:
            return await asyncio.to_thread(targets) == before

        await until(corrected, deadline=60, first=0.2, longest=1.0)
        print(f"routes were right again after {time.monotonic() - planted:.1f} s")
        assert (await ada.api("GET", "status"))[0] == 200


@pytest.mark.parametrize("part", ["tunnel", "edge", "guard", "link", "link of the hub's node"])
async def test_a_part_that_dies_takes_no_server_with_it(seminar: ClusterCourse, part: str) -> None:
    """Whatever carries pages and web sockets is killed: everybody's kernel is there again, in the same container."""
    async with people_on_every_node(seminar) as people:
        kernels = {visitor: await visitor.kernel() for visitor in people.values()}
        for visitor, kernel in kernels.items():
            await visitor.execute("kept = 'in memory'", kernel)
        before = ids(seminar, *(v.user for v in kernels))
        node = seminar.cluster.workers[0] if part in {"guard", "link"} else seminar.cluster.manager
        service = "firstbell_link" if part.startswith("link") else seminar.service(part)
        started = time.monotonic()
        await kill(node, service)

        async def again() -> bool:
            try:
                said = [await v.execute("print(kept)", kernel, deadline=10) for v, kernel in kernels.items()]
            except (TimeoutError, ConnectionError, aiohttp.ClientError):
                return False
            return [each.text for each in said] == ["in memory\n"] * len(said)

        await until(again, deadline=90, first=0.1, longest=0.5)
        print(f"{part}: everybody's cells ran {time.monotonic() - started:.1f} s after it was killed")
        assert ids(seminar, *before) == before, evidence(seminar)


async def test_people_of_a_restarted_daemon_start_again_with_their_files(seminar: ClusterCourse) -> None:
    """A worker's daemon ends and is started again: its people get their files back there, others notice nothing."""
    async with people_on_every_node(seminar) as people:
        node = seminar.cluster.workers[0]
        person = people[node]
        others = [v for v in people.values() if v is not person]
        before = ids(seminar, *(v.user for v in others))
        assert "[exit 0]" in await person.sh("echo precious > ~/kept.txt && sync")
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(node.start)
        back = await works(person)
        assert "precious" in await person.sh("cat ~/kept.txt")
        assert seminar.node_of(person.user) == node
        assert ids(seminar, *before) == before, evidence(seminar)
        print(f"working {back:.1f} s after the daemon answered again")


@pytest.mark.parametrize("after", [0.0, 1.0, 2.5])
async def test_a_start_cut_anywhere_leaves_nothing(seminar: ClusterCourse, after: float) -> None:
    """A hub killed at any moment of a start leaves no orphan on any node; the same person gets in afterwards (11)."""
    before = strays(seminar)
    async with Visitor(seminar.url) as visitor:
        await visitor.enter()
        await asyncio.sleep(after)  # the moment of the kill is the parameter, not a wait for something
        await kill_hub(seminar)
        assert (await visitor.server()).status == 200
        assert len(seminar.where()[visitor.user]) == 1, evidence(seminar)
        assert (await visitor.execute("print(1)")).text == "1\n"
        await go_home(visitor)

    async def clean() -> bool:
        return await asyncio.to_thread(strays, seminar) <= before

    await until(clean, deadline=90, first=0.2, longest=1.0)


async def test_one_slow_start_holds_up_nobody(seminar: ClusterCourse) -> None:
    """While one person's server takes for ever to start, others get theirs (fault 12)."""
    slow_start = "mkdir -p ~/.jupyter && echo 'import time; time.sleep(600)' > ~/.jupyter/jupyter_server_config.py"
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(Visitor(seminar.url))
        await slow.ready()
        await slow.sh(slow_start)
        await go_home(slow)

        async def gone() -> bool:
            return slow.user not in await asyncio.to_thread(seminar.where)

        await until(gone, deadline=60, first=0.1, longest=0.5)
        held = asyncio.create_task(slow.server(deadline=300))
        others = [await stack.enter_async_context(Visitor(seminar.url)) for _ in range(OTHERS)]
        try:
            started = time.monotonic()
            await asyncio.wait_for(asyncio.gather(*(other.ready() for other in others)), 120)
            assert not held.done()
            print(f"{OTHERS} others were in after {time.monotonic() - started:.1f} s")
        finally:
            held.cancel()
            await asyncio.gather(*(go_home(visitor) for visitor in [slow, *others]))
