"""The disk is full: told as that, with what makes room, and nothing is left that would take more of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import NAME, Write, refused
from tests.support.course import docker, remove
from tests.support.disk import MIB, filled, free_bytes, small_disk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

SIZE = 800 * MIB
"""Bytes of the small disk: room to unpack the base image."""
ROOM = 200 * MIB
"""Bytes that are left on it then: too few for what is built on the base."""
BASE = "debian:trixie-slim"

Docker = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def own_bridge() -> Iterator[str]:
    """A bridge device that is nobody else's."""
    name = "fbtest-disk"
    subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "198.51.100.1/28", "dev", name], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A Docker Engine of our own on a small disk, with the base image: its address, and the disk."""
    folder = tmp_path_factory.mktemp("engine")
    host = f"unix://{folder}/docker.sock"
    with small_disk(folder, SIZE) as disk, own_bridge() as bridge, (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            # A bridge of its own: a daemon without one removes the docker0 it finds.
            ["dockerd", "--data-root", disk / "docker", "--exec-root", folder / "exec",
             "--pidfile", folder / "pid",
             "--host", host, "--bridge", bridge, "--iptables=false", "--ip-forward=false"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _answers(host, daemon, folder / "log")
            save = subprocess.Popen(["docker", "save", BASE], stdout=subprocess.PIPE)
            subprocess.run(["docker", "--host", host, "load"], stdin=save.stdout, check=True, capture_output=True)
            assert save.wait() == 0
            yield host, disk
        finally:
            daemon.terminate()
            daemon.wait(30)
            for left_over in (folder / "exec" / "netns").glob("*"):
                subprocess.run(["umount", left_over], check=True)


def _answers(host: str, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while subprocess.run(["docker", "--host", host, "version"], capture_output=True, check=False).returncode:
        assert daemon.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.2)


def test_disk_full_while_building(engine: tuple[str, Path], course: Write) -> None:
    """A build for which the engine's disk is too small fails with that word, and gives back what it took."""
    host, disk = engine
    small = course(rest=f'[engine]\nhost = "{host}"')
    before = free_bytes(disk)
    with filled(disk, ROOM):
        refused(small.cli("up", "--yes", check=False), 4, "No space left", "disk is full", "docker system df")
    assert docker("--host", host, "ps", "-aq") == ""
    assert before - free_bytes(disk) < ROOM


def test_disk_full_at_the_start_of_a_container(engine: tuple[str, Path], course: Write) -> None:
    """With no room for even one container the disk is blamed, not the image; with room again the image is looked at."""
    host, disk = engine
    full = course(server=f'image = "{BASE}"', rest=f'[engine]\nhost = "{host}"')
    steps = json.loads(full.cli("up", "--dry-run", "--json").stdout)["steps"]
    tag = next(word for step in steps for word in step.split() if word.startswith("firstbell/hub:"))
    docker("--host", host, "tag", BASE, tag)  # as if it were built already
    with filled(disk):
        refused(full.cli("up", "--yes", check=False), 5, "disk", "docker system df")
    refused(full.cli("up", "--yes", check=False), 4, "jupyter_server")
    for kind in ("ps -aq", "volume ls -q", "network ls -q --filter label=firstbell.course"):
        assert docker("--host", host, *kind.split()) == ""


def test_state_volume_full(course: Write) -> None:
    """A hub whose database finds no room does not come up; `up` says so with its last lines."""
    full = course(server='memory = "512M"')
    name = f"firstbell-{NAME}-state"
    labels = [f"--label=firstbell.course={NAME}", "--label=firstbell.role=state"]
    docker("volume", "create", *labels, "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=16k", name)
    refused(full.cli("up", "--yes", check=False), 5, "disk is full", "docker system df", "firstbell logs hub")
    remove(NAME)
