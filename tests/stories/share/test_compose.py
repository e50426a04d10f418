"""A course exported for Docker Compose, run by the real tool on a machine that has never seen Firstbell."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.model.image import BuildSpec
from tests.support.course import RunningCourse, docker, remove, write_course
from tests.support.machine import Machine, give, machine
from tests.support.registry import BASE, Registry
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces")

NAME = "test-compose"
TOOL = "firstbell-test/compose:1"
DOCKERFILE = f"""\
FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends docker-cli docker-compose
"""
SOCKET = "/run/docker.sock"


@pytest.fixture
def course(tmp_path: Path) -> Iterator[RunningCourse]:
    """A course that is not up."""
    remove(NAME)
    yield RunningCourse(tmp_path, NAME, write_course(tmp_path, NAME))
    remove(NAME)
    tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    for pushed in [tag for tag in tags if tag.startswith("127.0.0.1:") and "/lab/" in tag]:
        docker("rmi", pushed, check=False)


async def tool() -> None:
    """Debian's Docker Compose, in an image of its own."""
    async with DockerEngine() as engine:
        await engine.build(BuildSpec(TOOL, DOCKERFILE))


def compose(there: Machine, folder: Path, *words: str) -> str:
    """`docker compose WORDS` in a folder there."""
    mounts = [f"--volume={SOCKET}:/var/run/docker.sock", f"--volume={folder}:{folder}", f"--workdir={folder}"]
    return there.docker("run", "--rm", "--network=host", *mounts, TOOL, "docker", "compose", *words)


def ours(there: Machine, kind: str = "ps -a") -> set[str]:
    """What carries the course's label there."""
    field = "{{.Names}}" if kind == "ps -a" else "{{.Name}}"
    return set(there.docker(*kind.split(), "--filter", f"label=firstbell.course={NAME}", "--format", field).split())


async def test_a_course_goes_to_another_machine(course: RunningCourse, shop: Registry, tmp_path: Path) -> None:
    """Exported and pushed here, pulled and run there by plain compose: a visitor works in it, and it ends without rest
    but homes and who they belong to.
    """
    await tool()
    target = tmp_path / "out"
    await asyncio.to_thread(course.cli, "export", "compose", "--output", str(target), "--push", f"{shop.address}/lab")
    assert stat.S_IMODE((target / ".env").stat().st_mode) == 0o600
    again = course.cli("export", "compose", "--output", str(target), check=False)
    assert again.returncode == 8, again.stderr
    with machine(tmp_path) as there:
        there.share(shop.port)
        give(there, [TOOL])
        env = (target / ".env").read_text().replace("/var/run/docker.sock", SOCKET)
        (target / ".env").write_text(env.replace("RESOLVERS='", "RESOLVERS='192.0.2.1, "))
        compose(there, target, "up", "-d", "--wait")
        there.reach(int(course.url.rstrip("/").rpartition(":")[2]))
        async with Visitor(course.url) as visitor:
            await visitor.ready()
            assert (await visitor.execute("import os; print(os.path.exists('start.ipynb'))")).text == "True\n"
        parts = {f"firstbell-{NAME}-{role}" for role in ("guard", "proxy", "hub", "edge")}
        assert parts < ours(there)
        compose(there, target, "rm", "-sf")
        compose(there, target, "--profile", "end", "run", "--rm", "end")
        assert ours(there) | ours(there, "network ls") == set()
        kept = {name.split("-")[3] for name in ours(there, "volume ls")}
        assert kept == {"home", "state", "certificates"}
