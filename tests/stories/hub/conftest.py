"""Images for a hub on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.engine.docker import DockerEngine
from firstbell.model.course import Course
from firstbell.work.build import build, get_base, plan_course_image, plan_hub_image
from tests.stories.hub.host import HostHub, host_hub
from tests.support.course import docker, write_course

NAME = "test-host-hub"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The plain course image, and one of the hub, built as `up` builds them."""

    async def make() -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("course")
        write_course(folder, NAME)
        course = read_course(folder, os.environ)
        specs = plan_course_image(course), plan_hub_image(course)
        async with DockerEngine() as engine:
            for spec in specs:
                assert spec is not None
                if await engine.image(spec.tag) is None:
                    await get_base(engine, course.server.base, course.network)
                    await build(engine, spec)
        assert specs[0] is not None
        return specs[0].tag, specs[1].tag

    return asyncio.run(make())


@pytest.fixture(scope="session")
def proxy_command(images: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The proxy of the hub image, copied out of it."""
    folder = tmp_path_factory.mktemp("proxy")
    container = docker("create", "--label", f"firstbell.course={NAME}", images[1], "true")
    docker("cp", f"{container}:/opt/firstbell/proxy", str(folder))
    docker("rm", container)
    return str(folder / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")


@pytest.fixture
async def hub_with_folders(tmp_path: Path, images: tuple[str, str], proxy_command: str) -> AsyncIterator[HostHub]:
    """The same with homes in a directory of this machine."""
    (tmp_path / "homes").mkdir()
    course = Course(
        name=NAME,
        url="http://127.0.0.1:1",
        server={"image": images[0], "memory": "256M", "idle": 0, "uid": 4711, "gid": 4712},
        homes={"store": str(tmp_path / "homes")},
    )
    async with host_hub(tmp_path, course, images[0], proxy_command) as running:
        yield running


@pytest.fixture
async def hub(tmp_path: Path, images: tuple[str, str], proxy_command: str) -> AsyncIterator[HostHub]:
    """A seminar whose hub and proxy are processes of this machine."""
    course = Course(
        name=NAME,
        url="http://127.0.0.1:1",
        access={"standby": 0},
        server={"image": images[0], "memory": "256M", "idle": 0, "timeout": 20},
    )
    async with host_hub(tmp_path, course, images[0], proxy_command) as running:
        yield running
