"""An engine behind ssh: a real sshd on loopback, the machine's own daemon behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from firstbell.engine.connect import connect
from firstbell.errors import EngineUnavailable
from tests.support.ssh import SshServer, ssh_server

from .conftest import IMAGE, Lab, docker_labs


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """One server for all of these tests."""
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
async def far(sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """A lab whose engine is behind ssh."""
    monkeypatch.setenv("PATH", sshd.path)
    async for near in docker_labs(tmp_path):  # it makes the image and cleans up
        engine = await connect("docker", sshd.address)
        yield Lab(engine, near.course)
        await engine.close()


async def test_files_and_words_pass(far: Lab) -> None:
    """Input, output and their ends pass unchanged, megabytes of them, and side by side."""
    data = bytes(range(256)) * 8_000
    results = await asyncio.gather(*(far.engine.run(far.spec("cat", name=f"h{n}"), data) for n in range(3)))
    assert [r.stdout == data for r in results] == [True] * 3


async def test_image_through_ssh(far: Lab) -> None:
    """An image is saved at one end and loaded at the other."""
    assert IMAGE in await far.engine.load(far.engine.save([IMAGE]))


async def test_events_arrive(far: Lab) -> None:
    """Events come as they happen over a connection that stays open."""
    seen = far.engine.events(far.course)
    first = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        while not first.done():
            await far.engine.run(far.spec("true", name="h"))
    assert (await first).name == far.spec("true", name="h").name
    await seen.aclose()  # type: ignore[attr-defined]


async def test_unknown_host_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or a host that is not known is an error in ssh's own words, not a question nobody sees."""
    with ssh_server(tmp_path) as server:
        monkeypatch.setenv("PATH", server.path)
        engine = await connect("docker", server.address)
        server.forget_key()
        with pytest.raises(EngineUnavailable, match="Permission denied"):
            await engine.facts()
        server.forget_host()
        with pytest.raises(EngineUnavailable, match="Host key verification failed"):
            await engine.facts()
        await engine.close()
