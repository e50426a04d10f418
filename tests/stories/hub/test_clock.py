"""The time of day jumps by an hour or a day: nobody's server ends, and nobody is logged out (fault 13).

Hub, proxy and servers have a clock that the test sets. Once all of them are wrong together, as on a machine whose clock
was set, and once hub and proxy alone, as in a cluster whose machines do not agree.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from firstbell.engine.waiting import until
from firstbell.model.course import Course
from tests.stories.conftest import stop_server
from tests.stories.hub.conftest import NAME
from tests.stories.hub.host import HostHub, containers, host_hub
from tests.support import clock
from tests.support.course import docker
from tests.support.local_hub import CONTROL_FILES
from tests.support.visitor import Visitor, collect, send_cell

pytestmark = pytest.mark.skipif(clock.COMPILER is None, reason="there is no C compiler")

HOUR, DAY = 3600, 86400
IDLE, KEEP = 600, 1800
"""Seconds; an hour is more than either, and the story takes less than half of the shorter."""
PEOPLE, KEEPER = 3, 1
"""How many there are, and the number of the one who wants the server kept."""
JUMPS = ((HOUR, False), (-HOUR, False), (DAY, True), (-DAY, True), (0, False))
"""How far off the time of day is then, and whether another hub starts with it."""
IMAGE = "firstbell-test-clock"
THERE = "/opt/clock"
"""The folder of a server's clock."""
COUNT = "import time\nwhile not stop.exists(): n += 1; time.sleep(0.2)\nprint('counted')"


@dataclass
class Clocks:
    """The hub, and whose clocks are set together."""

    hub: HostHub
    own: Path
    servers: bool

    async def jump(self, seconds: int) -> None:
        """Set the time of day of all of them so far off, and wait until the hub and its proxy have it."""
        self.own.write_text(clock.offset(seconds))
        if self.servers:
            for server in containers(NAME):
                docker("exec", "--user", "0", server, "sh", "-c", f"echo {clock.offset(seconds)} > {THERE}/offset")
        assert abs(await self.off() - seconds) < HOUR / 10

    async def off(self) -> float:
        """By how many seconds the hub's time of day differs from this test's."""
        async with httpx.AsyncClient() as client:
            said = (await client.get(f"{self.hub.url}hub/health")).headers["date"]
        return parsedate_to_datetime(said).timestamp() - time.time()


@pytest.fixture(scope="module")
def image(images: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The course's image with a clock that can be set in it."""
    folder = tmp_path_factory.mktemp("image")
    clock.build(folder / "library")
    (folder / "offset").write_text(clock.offset(0))
    (folder / "Dockerfile").write_text(f"FROM {images[0]}\nCOPY library offset {THERE}/\n")
    docker("build", "-t", IMAGE, str(folder))
    yield IMAGE
    docker("rmi", IMAGE)


@pytest.fixture(params=[True, False], ids=["the whole machine", "the hub alone"])
async def clocks(request: Any, tmp_path: Path, image: str, proxy_command: str) -> AsyncIterator[Clocks]:
    """A seminar whose idle servers end soon, with clocks that are right at first."""
    own = tmp_path / "offset"
    own.write_text(clock.offset(0))
    inside = clock.variables(f"{THERE}/library", f"{THERE}/offset") if request.param else {}
    course = Course(
        name=NAME,
        url="http://127.0.0.1:1",
        access={"standby": 0},
        server={
            "image": image, "memory": "512M", "idle": IDLE, "idle_notice": 10, "keep_most": KEEP, "warm_kernels": False,
            "timeout": 20, "environment": inside,
        },
    )  # fmt: skip
    library = tmp_path / "library"
    clock.build(library)
    outside = clock.variables(str(library), str(own))
    async with host_hub(tmp_path, course, image, proxy_command, outside) as hub:
        yield Clocks(hub, own, request.param)


async def test_a_wrong_clock_ends_nobody(clocks: Clocks) -> None:
    """Jumps of an hour and a day, there and back, and hubs that start with them: all go on, and others can come."""
    hub = clocks.hub
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Visitor(hub.url)) for _ in range(PEOPLE)]
        for visitor in people:
            await visitor.ready()
        cell_of, keeps = people[0], people[KEEPER]
        kernels = [await visitor.kernel() for visitor in people]
        kernel = await cell_of.kernel()
        channel = await stack.enter_async_context(await cell_of.channels(kernel))
        cell = await send_cell(channel, f"from pathlib import Path\nstop, n = Path('stop'), 0\n{COUNT}")
        counting = asyncio.create_task(collect(channel, cell))  # a socket nobody reads answers no ping, and is closed
        assert (await keeps.ask("POST", "firstbell/companion/idle", {"keep": KEEP}))[0] == 200
        before = _servers()
        for seconds, restarts in JUMPS:
            await clocks.jump(seconds)
            if restarts:
                hub.kill("hub")
                hub.start("hub")
                await hub.answers()
            await _all_is_well(people, kernels)
            await _somebody_comes_and_goes(hub)
            assert _servers() == before, f"at {seconds} s"
        await cell_of.api("PUT", "contents/stop", {"type": "file", "format": "text", "content": ""})
        assert (await asyncio.wait_for(counting, 30)).text == "counted\n"
        assert (await cell_of.execute("print('anew')")).text == "anew\n"
        assert _record(clocks.hub, "activity-check")["found"] == []
        ended = [entry for entry in _record(hub, "activity") if entry["kind"] == "end"]
        assert {entry["what"] for entry in ended} == {"stopped"}, ended
        assert all(entry["who"] == entry["whom"] for entry in ended), ended


async def test_a_hub_whose_clock_went_back_still_hears(clocks: Clocks) -> None:
    """A day too early, it notices within seconds that a server died, as at any other time."""
    async with await Visitor(clocks.hub.url).ready() as visitor:
        await clocks.jump(-DAY)
        docker("kill", "--signal", "KILL", *containers(NAME))

        async def explained() -> bool:
            return "killed from outside" in (await visitor.open(f"user/{visitor.user}/lab")).text

        await until(explained, deadline=20, first=0.1, longest=0.5)
        await visitor.server()


async def _all_is_well(people: list[Visitor], kernels: list[str]) -> None:
    """Nobody is asked who they are, nobody is about to be ended, and every wish to be kept counts."""
    for number, (visitor, kernel) in enumerate(zip(people, kernels, strict=True)):
        page = await visitor.open("hub/home")
        assert (page.status, page.path) == (200, "/hub/home"), page.path
        assert (await visitor.open(f"user/{visitor.user}/lab")).path.startswith(f"/user/{visitor.user}/")
        told = (await visitor.news())["idle"]
        longest = KEEP if number == KEEPER else IDLE
        assert longest / 2 < told["left"] <= longest and not told["notice"], told
        assert bool(told["kept"]) == (number == KEEPER)
        assert (await visitor.execute("6 * 7", kernel)).text == "42"


async def _somebody_comes_and_goes(hub: HostHub) -> None:
    async with await Visitor(hub.url).ready() as visitor:
        assert (await visitor.execute("print('here')")).text == "here\n"
        gone = set(_servers())
        await stop_server(visitor)

        async def is_gone() -> bool:
            return set(_servers()) < gone

        await until(is_gone, deadline=30, first=0.1, longest=0.5)


def _servers() -> dict[str, str]:
    """Every server's container, and since when it runs."""
    found = json.loads(docker("inspect", *containers(NAME)))
    return {one["Name"]: f"{one['Id']} {one['State']['StartedAt']}" for one in found}


def _record(hub: HostHub, *words: str) -> Any:
    """What the hub's own commands say of its record, with the right time of day."""
    files = [f"--{name}={hub.folder}/{file}" for name, file in CONTROL_FILES.items()]
    command = [sys.executable, "-m", "firstbell.hub.control", *files, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
