"""A store of homes that is away, on an engine in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing, StartFailed
from firstbell.hub.homes.store import Store
from firstbell.model.course import Course
from firstbell.model.observed import ImageState

NFS = Course.model_validate(
    {"name": "demo", "server": {"image": "x"}, "homes": {"store": "nfs://files.example.org/homes"}}
)


class FileServer:
    """What containers find at the store's place."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = False
        self.words = "/homes: Transport endpoint is not connected"
        self.looks = 0

    async def program(self, process: Any) -> int:
        self.looks += 1
        await self.answers.wait()
        if self.fails:
            process.complain(self.words)
            return 1
        process.say(json.dumps(["a", "b"] if process.argv[3] == "list" else {"free": 1}))
        return 0


@pytest.fixture
async def files() -> FileServer:
    return FileServer()


@pytest.fixture
async def store(files: FileServer) -> AsyncIterator[Store]:
    engine = FakeEngine()
    engine.images["x"] = ImageState("x", "sha256:1")
    engine.programs["python3"] = files.program
    yield Store(NFS, engine, "x", patience=0.05, look=0.2, again=0.05)
    files.answers.set()
    await engine.close()


async def ready() -> str:
    return "ready"


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def is_back(store: Store) -> None:
    async def back() -> bool:
        return not store.is_away

    await until(back, deadline=5)


async def test_a_quick_start_asks_nothing(store, files):
    """Where all is well no container is made beside the server's own."""
    assert await store.within("ada", "", ready()) == "ready"
    assert files.looks == 0


async def test_a_slow_start_goes_on_while_the_store_answers(store, files):
    """Slowness alone is no reason to give up."""

    async def slow() -> str:
        await asyncio.sleep(0.4)
        return "ready"

    assert await store.within("ada", "", slow()) == "ready"
    assert files.looks >= 1


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_a_store_that_is_away(store, files, how):
    """The first start is told in bounded time, the next ones at once by one container's look; then all is well."""
    if how == "hangs":
        files.answers.clear()
    else:
        files.fails = True
    async with asyncio.timeout(5):
        with pytest.raises(HomeMissing, match=r"nfs://files.example.org/homes, does not answer"):
            await store.within("ada", "", hangs())
    looks = files.looks
    for _ in range(20):
        with pytest.raises(HomeMissing):
            await store.within("ben", "", ready())
    assert files.looks <= looks + 1
    files.fails = False
    files.answers.set()
    await is_back(store)
    assert await store.within("ada", "", ready()) == "ready"


async def test_an_engine_that_is_away_says_nothing_of_the_store(store):
    """The start then fails, or not, for its own reasons."""
    store.engine.away = True

    async def slow() -> str:
        await asyncio.sleep(0.3)
        raise EngineUnavailable("no answer")

    with pytest.raises(EngineUnavailable):
        await store.within("ada", "", slow())
    assert not store.is_away


async def test_what_cannot_be_mounted_is_explained(store, files):
    """A folder that is gone is told so; where the store itself is away, that; other failures are left alone."""

    async def refused(said: str) -> str:
        raise StartFailed("a volume that x needs cannot be had", evidence=(said,))

    gone = "failed to mount local volume: mount :/homes/x: no such file or directory"
    with pytest.raises(HomeMissing, match="is gone") as caught:
        await store.within("ada", "", refused(gone))
    assert "firstbell homes import ada" in caught.value.next_step
    with pytest.raises(StartFailed, match="cannot be had"):
        await store.within("ada", "", refused("OCI runtime: no python3"))
    files.fails = True
    with pytest.raises(HomeMissing, match="does not answer"):
        await store.within("ada", "", refused(gone))


async def test_a_kernel_without_nfs_is_named(store, files, caplog):
    """What no waiting helps against is told with what to install where; the hub's log has the engine's words."""
    files.fails = True
    files.words = "failed to mount local volume: mount :/homes/x: no such device"
    with pytest.raises(HomeMissing, match="node2 cannot mount") as caught:
        await store.within("ada", "node2", hangs())
    assert "installs its client on node2: for NFS, apt-get install nfs-common" in caught.value.next_step
    assert files.words in caplog.text


async def test_whoever_stops_a_start_stops_it(store):
    """Cancelling reaches the start itself."""
    ended = asyncio.Event()

    async def start() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(store.within("ada", "", start()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_homes_are_listed_by_a_container(store, files):
    """The hub looks into no directory itself; what cannot be listed is an error, not an empty list."""
    assert await store.folders() == ["a", "b"]
    files.fails = True
    with pytest.raises(FirstbellError, match="cannot be listed"):
        await store.folders()


async def test_volumes_have_no_store(store, files):
    """Their starts are just awaited."""
    store.course = NFS.model_copy(update={"homes": NFS.homes.model_copy(update={"store": "volume"})})
    files.fails = True
    assert await store.within("ada", "", ready()) == "ready"
