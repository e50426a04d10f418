"""A base image where no registry answers."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from firstbell.model.image import Progress
from firstbell.model.network import Network
from firstbell.work.base_image import make_base
from tests.stories.images.conftest import run
from tests.support.course import docker

REF = "docker.io/library/debian:12"
"""A name of bookworm that no other story uses."""


@pytest.fixture(autouse=True)
def _own_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    yield
    docker("rmi", REF, check=False)


def leftovers(scratch: Path) -> list[Path]:
    """What the making of a base left in the temporary directory."""
    return list(scratch.glob("firstbell-base-*"))


def commands() -> Iterator[str]:
    """The command lines of all processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield file.read_text(errors="replace")


async def test_it_is_made_from_packages(engine: Engine, tmp_path: Path) -> None:
    """A small Debian with security updates is made and imported under the base's own name; nothing is left behind."""
    said: list[Progress] = []
    image = await make_base(engine, REF, Network(), said.append)
    assert "bookworm" in said[0].text
    assert 60e6 < image.size < 160e6
    result = await run(engine, REF, "sh", "-c", "cat /etc/os-release /etc/apt/sources.list; ls /etc/apt/apt.conf.d")
    text = result.stdout.decode()
    assert "VERSION_CODENAME=bookworm" in text
    assert "bookworm-security" in text
    assert "mmdebstrap" not in text
    assert leftovers(tmp_path) == []


async def test_ctrl_c_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    """Interrupted while packages are unpacked, it ends its processes and removes their files and makes no image."""
    unpacking = asyncio.Event()

    def report(line: Progress) -> None:
        if "extracting" in line.text:
            unpacking.set()

    task = asyncio.create_task(make_base(engine, REF, Network(), report))
    await asyncio.wait_for(unpacking.wait(), 120)
    assert leftovers(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert leftovers(tmp_path) == []
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in line]
    assert not [command for command in commands() if str(tmp_path) in command]
    assert await engine.image(REF) is None
