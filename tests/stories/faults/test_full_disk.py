"""The disk of the hub's state is full: who works goes on, the hub stays, and all is well once there is room."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.names import Role
from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse, docker, running
from tests.support.disk import MIB, disk_volume, filled
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

NAME = "test-fulldisk"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningCourse, Path]]:
    """A seminar whose hub keeps its state on a small disk of its own, and where that is mounted for us."""
    folder = tmp_path_factory.mktemp("fulldisk")
    disk = folder / "disk"
    disk.mkdir()
    state, labels = names.volume(NAME, Role.STATE), names.labels(NAME, Role.STATE)
    with running(folder, NAME, server='memory = "512M"\nidle = 0') as course:
        course.cli("down", "--yes")
        docker("volume", "rm", state)
        with disk_volume(folder, state, dict(labels), 48 * MIB, 2000) as device:
            course.cli("up", "--yes")
            subprocess.run(["mount", device, disk], check=True)
            try:
                yield course, disk
            finally:
                subprocess.run(["umount", "-l", disk], check=True)
                course.cli("down", "--delete-homes", "--confirm", NAME, check=False)


async def test_a_full_disk_stops_nobody(course: tuple[RunningCourse, Path]) -> None:
    """Who is in works on and reaches the hub; nothing restarts; the next one is in as soon as there is room."""
    running_course, disk = course
    hub = running_course.container("hub")
    async with Visitor(running_course.url) as ada, Visitor(running_course.url) as ben:
        await ada.ready()
        kernel = await ada.kernel()
        began = _started(hub)
        with filled(disk):
            for _ in range(20):
                assert (await ada.execute("print(6 * 7)", kernel)).text == "42\n"
                await asyncio.sleep(0)
            home = await ada.open("hub/home")
            assert home.status == 200, home.text[-300:]
            assert (await ada.open(f"user/{ada.user}/lab")).status == 200
            assert (await ben.open()).status in {200, 302, 500, 503}  # answered, whatever can be done for him
            told = json.loads(running_course.cli("status", "--json").stdout)
            assert told["figures"]["disk_low"], told["figures"]
        assert _started(hub) == began and _started(running_course.container("proxy"))

        async def let_in() -> bool:
            try:
                await ben.ready()
            except AssertionError:
                return False
            return True

        await until(let_in, deadline=90, first=0.5, longest=2.0)
        assert (await ben.execute("print(1)")).text == "1\n"
        assert _started(hub) == began
        for visitor in (ada, ben):
            await stop_server(visitor)


def _started(container: str) -> str:
    return docker("inspect", "-f", "{{.State.StartedAt}} {{.RestartCount}}", container)
