"""A course gets another version of Firstbell while people work: done, failed, killed half-way, undone (fault 14)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse, docker, running
from tests.support.version import OtherVersion, other_version
from tests.support.visitor import Visitor, run_cell, send_cell

PEOPLE = 5
PARTS = 4
"""Hub, proxy, edge and guard."""
KEPT = "kept = 'since before'"
SLOW = "import time\nfor i in range(100):\n    print(i, flush=True)\n    time.sleep(0.5)\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar for this module alone, as it changes its hub."""
    with running(
        tmp_path_factory.mktemp("upgrade"),
        "test-upgrade",
        access="capacity = 40",
        server='memory = "512M"\npids = 200\nidle = 0\nwarm_kernels = false',
    ) as made:
        yield made


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> OtherVersion:
    """The version after this one."""
    return other_version(tmp_path_factory.mktemp("newer"), "9.1.0")


@dataclass
class Worker:
    """Somebody at work: a kernel that holds a variable, and a channel to it."""

    visitor: Visitor
    kernel: str

    async def remembers(self) -> bool:
        """Whether the kernel still has what it was told before all of this; its way is back within seconds."""

        async def reached() -> str:
            try:
                async with await self.visitor.channels(self.kernel) as channel:
                    return (await run_cell(channel, "print(kept)")).text or "nothing"
            except (aiohttp.ClientError, ConnectionError):
                return ""

        return await until(reached, deadline=30, first=0.1, longest=0.5) == "since before\n"


@pytest.fixture
async def workers(course: RunningCourse) -> AsyncIterator[list[Worker]]:
    """Five people at work."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(PEOPLE):
            visitor = await stack.enter_async_context(Visitor(course.url))
            await visitor.ready()
            worker = Worker(visitor, await visitor.kernel())
            async with await visitor.channels(worker.kernel) as channel:
                await run_cell(channel, KEPT)
            made.append(worker)
        yield made
        for worker in made:
            await stop_server(worker.visitor)


def parts(course: RunningCourse) -> dict[str, str]:
    """The versions of hub, proxy, edge and guard that run."""
    ids = docker("ps", "-q", "--filter", f"label=firstbell.course={course.name}").split()
    labels = [entry["Config"]["Labels"] for entry in json.loads(docker("inspect", *ids, check=False) or "[]")]
    found = {one["firstbell.role"]: one["firstbell.version"] for one in labels}
    return {role: version for role, version in found.items() if role in {"hub", "proxy", "edge", "guard"}}


def nothing_beside(course: RunningCourse) -> bool:
    """Whether nothing of a trial is left."""
    trial = f"name=firstbell-{course.name}-"
    found = docker("ps", "-a", "--filter", trial, "--format", "{{.Names}}").split()
    volumes = docker("volume", "ls", "--filter", trial, "--format", "{{.Name}}").split()
    return not [name for name in (*found, *volumes) if "-trial-" in name]


@contextlib.asynccontextmanager
async def watched(course: RunningCourse) -> AsyncIterator[list[float]]:
    """The longest time, in seconds, for which the hub did not answer."""
    longest = [0.0]

    async def look() -> None:
        last = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{course.url}/hub/health") as answer:
                        if answer.status == 200:
                            longest[0], last = max(longest[0], time.monotonic() - last), time.monotonic()
                await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    try:
        yield longest
    finally:
        looking.cancel()


async def slow_cell(worker: Worker) -> list[str]:
    """What a cell of fifty seconds prints; when its connection is cut, what Jupyter has kept comes with the next."""
    lines: list[str] = []
    channel = await session(worker)
    identity = await send_cell(channel, SLOW)
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async for message in channel:
                said = json.loads(message.data)
                if said.get("parent_header", {}).get("msg_id") != identity:
                    continue
                if said["msg_type"] == "stream":
                    lines += said["content"]["text"].split()
                elif said["msg_type"] == "execute_reply":
                    return lines
        with contextlib.suppress(aiohttp.ClientError):
            channel = await session(worker)


async def session(worker: Worker) -> aiohttp.ClientWebSocketResponse:
    """A channel as Lab opens it: with the session's name, by which Jupyter knows whose output it has kept."""
    return await worker.visitor.channels(worker.kernel, session="a-session")


async def test_an_upgrade_while_people_work(course: RunningCourse, newer: OtherVersion, workers: list[Worker]) -> None:
    """Five servers go on through it, with a cell that runs meanwhile; then back again, and nobody notices that."""
    before = {server["Id"] for server in course.servers()}
    running_cell = asyncio.create_task(slow_cell(workers[0]))
    refused = newer.cli(course.folder, "up", "--yes", check=False)
    assert refused.returncode == 1 and "firstbell upgrade" in refused.stderr
    async with watched(course) as longest:
        told = await asyncio.to_thread(newer.cli, course.folder, "upgrade", "--yes", "--json")
    print("upgrade", json.loads(told.stdout)["seconds"], "s; hub away", longest[0], "s")
    assert set(parts(course).values()) == {"9.1.0"}
    assert {server["Id"] for server in course.servers()} == before
    assert await running_cell == [str(number) for number in range(100)]
    assert all([await worker.remembers() for worker in workers])
    assert nothing_beside(course)
    assert "Up to date" in newer.cli(course.folder, "up", "--yes").stdout

    late = Visitor(course.url)
    async with late:
        await late.ready()
        async with watched(course) as longest:
            told = await asyncio.to_thread(newer.cli, course.folder, "rollback", "--yes", "--json")
        back = json.loads(told.stdout)
        print("rollback", back["seconds"], "s; hub away", longest[0], "s; since", back["since"])
        assert set(parts(course).values()) == {back["after"]} != {"9.1.0"}
        assert all(one["is_kept"] for one in back["since"])
        assert all([await worker.remembers() for worker in workers])
        assert (await late.execute("print('still me')")).text == "still me\n"
        assert "Up to date" in course.cli("up", "--yes").stdout


async def test_a_version_that_fails_its_trial(course: RunningCourse, tmp_path: Path, workers: list[Worker]) -> None:
    """A hub that starts no server, and one that does not start: the old one has never stopped, and it says why."""
    broken = other_version(tmp_path, "9.2.0")
    broken.change("singleuser/__main__.py", "\n", "\nraise SystemExit('this launcher is broken')\n")
    hub = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", course.container("hub"))
    told = await asyncio.to_thread(broken.cli, course.folder, "upgrade", "--yes", check=False)
    assert told.returncode != 0 and "tried and failed" in told.stderr
    assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", course.container("hub")) == hub
    assert all([await worker.remembers() for worker in workers])
    assert nothing_beside(course)


async def test_a_hub_that_cannot_take_over(course: RunningCourse, tmp_path: Path, workers: list[Worker]) -> None:
    """A hub that passes its trial and then does not answer, having changed a database: the old one runs again."""
    broken = other_version(tmp_path, "9.3.0")
    broken.change(
        "hub/app.py",
        "        kept = Kept(",
        "        if not course.name.endswith('-trial'):\n"
        "            import sqlite3\n\n"
        "            with sqlite3.connect(self._places.state / 'people.sqlite') as db:\n"
        "                db.execute('PRAGMA user_version = 99')\n"
        "            self.log.critical('cannot take over')\n"
        "            self.exit(1)\n"
        "        kept = Kept(",
    )
    told = await asyncio.to_thread(broken.cli, course.folder, "upgrade", "--yes", check=False)
    assert told.returncode != 0 and "the old one runs again" in told.stderr, told.stderr
    assert set(parts(course).values()) != {"9.3.0"} and len(set(parts(course).values())) == 1
    assert all([await worker.remembers() for worker in workers])
    assert nothing_beside(course)
    async with Visitor(course.url) as late:
        await late.ready()


@pytest.mark.timeout(1800)
async def test_killed_at_every_step(course: RunningCourse, newer: OtherVersion, workers: list[Worker]) -> None:
    """SIGKILL as each step begins: no server is lost, and running it again, or going back, makes the course whole."""
    before = {server["Id"] for server in course.servers()}
    steps = json.loads(newer.cli(course.folder, "upgrade", "--dry-run", "--json").stdout)["steps"]
    this, killed = parts(course)["hub"], []
    for number, step in enumerate(steps, 1):
        process = newer.begun(course.folder, "upgrade", "--yes")
        if await asyncio.to_thread(_wait_for_step, process, number):
            killed.append(step)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert {server["Id"] for server in course.servers()} >= before, step
        if number % 2:
            newer.cli(course.folder, "upgrade", "--yes")
            assert set(parts(course).values()) == {"9.1.0"}, step
        if "9.1.0" in parts(course).values() or len(parts(course)) < PARTS:
            newer.cli(course.folder, "rollback", "--yes")
        assert list(parts(course).values()) == [this] * PARTS, (step, parts(course))
        assert all([await worker.remembers() for worker in workers]), step
    print("killed as these began:", killed)
    assert len(killed) >= len(steps) - 1  # the volume of what is saved is made once
    newer.cli(course.folder, "upgrade", "--yes")
    assert set(parts(course).values()) == {"9.1.0"} and nothing_beside(course)
    assert {server["Id"] for server in course.servers()} == before
    assert all([await worker.remembers() for worker in workers])
    async with Visitor(course.url) as late:
        await late.ready()
    assert "Up to date" in newer.cli(course.folder, "upgrade", "--yes").stdout


@pytest.mark.timeout(1800)
async def test_going_back_killed_at_every_step(course: RunningCourse, newer: OtherVersion) -> None:
    """SIGKILL as each step of going back begins: run again it gets there."""
    this = course.cli("version").stdout.strip()
    newer.cli(course.folder, "upgrade", "--yes")
    steps = json.loads(newer.cli(course.folder, "rollback", "--dry-run", "--json").stdout)["steps"]
    for number in range(1, len(steps) + 1, 2):
        process = newer.begun(course.folder, "rollback", "--yes")
        assert await asyncio.to_thread(_wait_for_step, process, number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        newer.cli(course.folder, "rollback", "--yes")
        assert list(parts(course).values()) == [this] * PARTS
        newer.cli(course.folder, "upgrade", "--yes")


def _wait_for_step(process: object, number: int) -> bool:
    """Until the command says that it begins this step; whether it came so far."""
    for line in process.stderr:  # type: ignore[attr-defined]
        if line.lstrip("[").strip().split("/")[0].strip() == str(number) and line.startswith("["):
            return True
    return False
