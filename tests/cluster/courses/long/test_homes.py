"""Homes on a real Swarm: moved from node to node, and in a directory that all nodes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_nodes import NodesByName
from firstbell.engine.waiting import until
from firstbell.errors import HomeMissing
from firstbell.hub.homes import control as home_control
from firstbell.hub.homes.store import Store
from firstbell.hub.people.book import PeopleStore
from firstbell.model import names
from firstbell.model.container import ContainerSpec, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.names import NODE_NUMBER, NODE_READY, Role
from firstbell.plan.home import directory_helper, home_mount, home_volume, store_volume
from firstbell.work import home_move
from tests.cluster.test_files import _sha256, writer, written
from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait
from tests.support.cluster_files import HOMES, FileServer

FILL = """
import os
os.chdir("/home/jovyan")
os.makedirs("deep/er")
open("deep/er/big", "wb").write(os.urandom(40 << 20))
os.link("deep/er/big", "again")
os.symlink("/nowhere", "link")
with open("holes", "wb") as file:
    file.truncate(1 << 30)
for number in range(3000):
    open(f"deep/{number}", "w").write("x" * number)
os.chown("again", 4711, 4712)
os.chmod("deep", 0o2750)
os.utime("deep/er", ns=(1, 1234567890123456789))
"""


def course(store: str) -> Course:
    """One whose homes are kept there."""
    made = {"name": "homes", "server": {"image": "x"}, "engine": {"kind": "swarm"}, "homes": {"store": store}}
    return Course.model_validate(made)


@pytest.fixture
async def engine(cluster: Cluster) -> AsyncIterator[SwarmEngine]:
    """The cluster, each of its nodes prepared."""
    hosts = {node.name: node.host for node in cluster.nodes}
    async with SwarmEngine(DockerEngine(cluster.manager.host), NodesByName(hosts)) as made:
        for number, node in enumerate(cluster.nodes, 1):
            await made.label_node(node.name, {NODE_READY: "true", NODE_NUMBER: str(number)})
        yield made


async def test_a_home_moves_to_another_node_and_back(
    cluster: Cluster, engine: SwarmEngine, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything arrives, the record changes, the old volume goes; a move that was killed is finished by the next."""
    one, two = (node.name for node in cluster.workers)
    homes, volume = course("volume"), home_volume(course("volume"), "ada")
    store = PeopleStore(tmp_path / "people.sqlite", b"k" * 32)
    store.record_home("ada", one)
    monkeypatch.setattr(home_move, "control", _hub(store))
    async for _ in _removed(engine, cluster, volume.name):
        daemon = await engine.on(one)
        await daemon.ensure_volume(volume)
        made = await daemon.run(_filler(image, volume.name))
        assert made.exit_code == 0, made.lines
        [move] = await home_move.plan_move(engine, homes, "ada", two)
        started = time.monotonic()
        moved = await home_move.move_home(engine, homes, move)
        print(f"{moved.files} files, {moved.size >> 20} MiB, in {time.monotonic() - started:.1f} s")
        assert moved.files == 3002
        assert await _places(engine, "homes") == {("home", two)}
        assert store.home_node("ada") == two
        [back] = await home_move.plan_move(engine, homes, "ada", one)
        await _killed_while_it_copies(engine, homes, back)
        assert store.home_node("ada") == two
        store.keep("moving-home:ada", "")  # what the killed command held is over after a while
        assert (await home_move.move_home(engine, homes, back)).files == 3002
        assert await _places(engine, "homes") == {("home", one)}


async def test_a_file_server_that_is_away_holds_nobody_up(
    mended: Cluster, files: FileServer, engine: SwarmEngine, image: str, busybox: str
) -> None:
    """Under load: starts are told within a minute, then at once; the hub's loop goes on; nothing written is lost."""
    shared = Store(course(str(HOMES)), engine, image, patience=3, look=15, again=1, is_cluster=True)
    one, two = mended.workers
    await shared.prepare([one.name, two.name])
    assert not shared.is_away
    with ExitStack() as stack:
        writers = {node: stack.enter_context(writer(node, busybox)) for node in mended.workers}
        for leave, come_back in ((files.stop, files.start), (files.cut, files.heal)):
            await asyncio.to_thread(leave)
            async with _responsive():
                started = time.monotonic()
                with pytest.raises(HomeMissing, match="does not answer"):
                    await asyncio.wait_for(shared.within("ada", one.name, _start(shared, one)), 90)
                print(f"told after {time.monotonic() - started:.1f} s")
                started = time.monotonic()
                with pytest.raises(HomeMissing):
                    await shared.within("ada", one.name, _start(shared, one))
                assert time.monotonic() - started < 1
            await asyncio.to_thread(come_back)
            started = time.monotonic()
            await until(lambda: _is_back(shared), deadline=90)
            print(f"back after {time.monotonic() - started:.1f} s")
            await shared.within("ada", one.name, _start(shared, one))
        all_written = {node: written(node, name) for node, name in writers.items()}
    for node, sums in all_written.items():
        assert sums
        for number, expected in sums.items():
            assert _sha256(files.directory / node.name / f"{number}.bin") == expected, (node.name, number)
    print("files written:", *(len(sums) for sums in all_written.values()))


async def test_a_node_without_the_directory_is_not_used_and_named(
    mended: Cluster, files: FileServer, engine: SwarmEngine, image: str
) -> None:
    """No home is made on its own disk; the other nodes go on, and it is used as soon as it has the directory."""
    shared = Store(course(str(HOMES)), engine, image, patience=3, look=15, again=1, is_cluster=True)
    one, two = mended.workers
    with _unmounted(files, two):
        await shared.prepare([one.name, two.name])
        assert shared.away_nodes() == {two.name}
        with pytest.raises(HomeMissing, match=f"does not answer on {two.name}"):
            await shared.within("ben", two.name, _start(shared, two))
        helper = directory_helper(shared.course, "ben", image, 1000, 1000, node=two.name, marker=await shared.marker())
        with pytest.raises(HomeMissing):
            await engine.run(helper)
        assert "firstbell-homes-home" not in two.run("ls", "-a", HOMES, check=False).stdout
        await shared.within("ben", one.name, _start(shared, one))
    await until(lambda: _is_back(shared), deadline=60)
    await shared.within("ben", two.name, _start(shared, two))


async def test_a_volume_of_a_file_server_is_made_on_any_node(cluster: Cluster, engine: SwarmEngine) -> None:
    """The engines take the options as they are meant; this kernel has no NFS, so that nothing is mounted."""
    volume = home_volume(course("nfs://10.0.0.9/export/homes?vers=4.1"), "ada")
    async for _ in _removed(engine, cluster, volume.name):
        for node in cluster.nodes:
            await (await engine.on(node.name)).ensure_volume(volume)
            told = node.docker("volume", "inspect", "--format", "{{json .Options}}", volume.name)
            for words in ('"type":"nfs"', "addr=10.0.0.9", "vers=4.1", f":/export/homes/{names.home('homes', 'ada')}"):
                assert words in told


async def test_a_node_that_cannot_mount_nfs_is_told_what_to_install(
    cluster: Cluster, engine: SwarmEngine, image: str
) -> None:
    """Where the kernel knows no NFS a start says so at once, with the node and the package; no empty home is made."""
    if "nfs" in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has NFS")
    node = cluster.workers[0]
    wanted = course(f"nfs://{node.address}/export")
    way = store_volume(wanted)
    assert way
    async for _ in _removed(engine, cluster, way.name):
        shared = Store(wanted, engine, image, patience=3, look=60, again=3600, is_cluster=True)
        await shared.prepare([node.name])
        assert shared.away_nodes() == {node.name}
        with pytest.raises(HomeMissing, match=f"{node.name} cannot mount .*kernel knows no such file system") as caught:
            await shared.within("ada", node.name, _start(shared, node))
        assert "nfs-common" in caught.value.next_step
        assert "no such device" in " ".join(caught.value.evidence)


def _hub(store: PeopleStore) -> Any:
    """Answers as the hub's own program does."""

    async def control(_: Any, __: Any, verb: str, *words: str) -> Any:
        return [] if verb == "list" else home_control.answer(store, verb, words)

    return control


def _filler(image: str, volume: str) -> ContainerSpec:
    return ContainerSpec(
        "firstbell-homes-fill",
        image,
        ("python3", "-c", FILL),
        labels=frozen(names.labels("homes", Role.HELPER)),
        user="0:0",
        mounts=(Mount(MountKind.VOLUME, volume, "/home/jovyan"),),
        capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"),
    )


async def _killed_while_it_copies(engine: SwarmEngine, homes: Course, move: Any) -> None:
    """A command that ends without a word in the middle: as cancelled, with its clean-up undone by nobody."""
    reached = asyncio.Event()
    task = asyncio.create_task(home_move.move_home(engine, homes, move, lambda _: reached.set()))
    await asyncio.wait_for(reached.wait(), 120)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _places(engine: SwarmEngine, name: str) -> set[tuple[str, str]]:
    return {(v.role, v.node) for v in (await engine.observe(name)).volumes}


async def _removed(engine: SwarmEngine, cluster: Cluster, volume: str) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for node in cluster.nodes:
            await (await engine.on(node.name)).remove_volume(volume)


async def _start(store: Store, node: Node) -> int:
    """What of a start needs the store: the folder, then a container with it as its home."""
    made = directory_helper(store.course, "ada", store.image, 1000, 1000, node=node.name, marker=await store.marker())
    await store.engine.run(made, deadline=60)
    spec = ContainerSpec(
        f"firstbell-homes-start-{node.name}",
        store.image,
        ("sh", "-c", "echo $$ > ~/alive && sync && cat ~/alive"),
        env=frozen({"HOME": "/home/jovyan"}),
        labels=frozen(names.labels("homes", Role.HELPER)),
        mounts=(home_mount(store.course, "ada"),),
        node=node.name,
    )
    result = await store.engine.run(spec, deadline=60)
    if result.exit_code:
        raise HomeMissing("the home cannot be written", where=node.name, evidence=("not connected", *result.lines))
    return result.exit_code


async def _is_back(store: Store) -> bool:
    return not store.is_away


class _responsive:  # noqa: N801 - reads as a word
    """The event loop is never held for more than a second while the block runs."""

    async def __aenter__(self) -> None:
        self._worst = 0.0
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self._worst = max(self._worst, time.monotonic() - before - 0.05)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        print(f"the loop was held {self._worst * 1000:.0f} ms at most")
        assert self._worst < 1


@contextmanager
def _unmounted(files: FileServer, node: Node) -> Iterator[None]:
    files.unmount(node)
    try:
        wait(lambda: not files.is_mounted(node), "it is unmounted")
        yield
    finally:
        files.mount(node)
