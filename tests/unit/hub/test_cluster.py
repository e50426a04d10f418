"""Starts on a cluster: where they go, whose home is where, and who may write it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.waiting import until
from firstbell.hub.bells.book import BellBook
from firstbell.hub.context import HubContext
from firstbell.hub.homes.leases import Leases
from firstbell.hub.homes.store import Store
from firstbell.hub.memory.machine import Machine
from firstbell.hub.nodes.cluster import Cluster, make_cluster
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.starts.queue import StartQueue
from firstbell.hub.starts.room import Room
from firstbell.hub.starts.server_parts import ServerParts
from firstbell.hub.starts.stages import Stages
from firstbell.hub.starts.starting import ServerFailed, Started, Times, Wanted, start_server
from firstbell.hub.starts.under_way import Starts
from firstbell.model.cluster import LEASE_MARGIN, LEASE_SECONDS
from firstbell.model.container import GIB, NetworkSpec, VolumeSpec
from firstbell.model.course import Course
from firstbell.model.names import Role, home, labels
from firstbell.model.observed import ImageState
from firstbell.model.runtime import Runtime
from firstbell.plan.server import container_name

IMAGE = "demo:1"
SUBNET = "172.20.0.0/20"
NODES = ("n1", "n2", "n3")


@dataclass
class Clock:
    """Time that passes when the test says so."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Hub:
    engine: FakeEngine
    context: HubContext
    clock: Clock
    on_nodes: dict[str, str] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        assert self.context.cluster
        return self.context.cluster

    async def start(self, user: str = "ada") -> Started:
        env = {"JUPYTERHUB_API_TOKEN": f"token-{user}", "JUPYTERHUB_SERVICE_PREFIX": f"/user/{user}/"}
        wanted = Wanted(user, f"token-{user}", env, "http://hub/ready", "6.1.1")
        started = await start_server(self.context, wanted, Stages(user, self.context.queue), Times())
        self.on_nodes[user] = started.node
        return started

    async def refused(self, user: str = "ada") -> str:
        with pytest.raises(ServerFailed) as caught:
            await self.start(user)
        assert (await self.engine.state(container_name(self.context.course, user))).node == ""
        return caught.value.cause.text

    async def is_away(self, node: str) -> None:
        self.engine.lose_node(node)
        await self.passes(10)

    async def passes(self, seconds: float) -> None:
        await self.cluster.nodes.look()
        self.clock.seconds += seconds
        await self.cluster.nodes.look()

    async def volumes(self) -> list[tuple[str, str]]:
        return sorted((v.user, v.node) for v in (await self.engine.observe("demo")).volumes)


async def made(tmp_path: Path, course: Course, **node: Any) -> Hub:
    engine, clock = FakeEngine(), Clock()
    engine.images[IMAGE] = ImageState(IMAGE, "sha256:1")
    for name in NODES:
        engine.add_node(name, **node)
    await engine.ensure_network(NetworkSpec("servers", "fb0", subnet=SUBNET))
    store, starts = PeopleStore(tmp_path / "people.sqlite", b"k" * 32), Starts()
    nodes = NodesWatch(engine, clock)
    machine = Machine(engine, "demo", nodes=nodes)
    runtime = Runtime("demo", IMAGE, "servers", "172.20.0.1", subnet=SUBNET, engine_kind="swarm")
    on_nodes: dict[str, str] = {}
    cluster = make_cluster(course, IMAGE, engine, store, starts, machine, nodes, lambda: on_nodes)
    await nodes.look()
    context = HubContext(
        course=course,
        runtime=runtime,
        engine=engine,
        store=store,
        room=Room(50, frozenset),
        queue=StartQueue(2, nodes=cluster.room),
        starts=starts,
        parts=ServerParts(engine, IMAGE, None),
        person=lambda _: None,
        machine=machine,
        homes=Store(course, engine, IMAGE),
        bells=BellBook(tmp_path / "bells.sqlite"),
        acts=ActsBook(tmp_path / "acts.sqlite"),
        cluster=cluster,
    )
    hub = Hub(engine, context, clock, on_nodes)

    async def jupyter(process):
        told = json.loads(process.read("/opt/firstbell/server.json"))
        user = told["env"]["JUPYTERHUB_SERVICE_PREFIX"].split("/")[2]
        starts.report_ready(user, told["env"]["JUPYTERHUB_API_TOKEN"])
        await process.terminated.wait()
        return 0

    engine.programs["python3"] = jupyter
    return hub


def course(**more: Any) -> Course:
    usual = {"name": "demo", "url": "http://127.0.0.1:8000", "engine": {"kind": "swarm"}}
    return Course(**(usual | {"server": {"image": IMAGE, "timeout": 5}} | more))


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """Homes are volumes, each on one node."""
    hub = await made(tmp_path, course())
    yield hub
    await hub.engine.close()


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Hub]:
    """Homes that every node can mount, as far as leases go."""
    hub = await made(tmp_path, course())
    cluster = hub.cluster
    leases = Leases(LEASE_SECONDS, hub.clock)
    object.__setattr__(cluster, "leases", leases)
    yield hub
    await hub.engine.close()


async def test_people_are_spread_over_all_nodes(hub):
    """Nine who click at once are three on each of three equal nodes, each with a home where their server is."""
    started = await asyncio.gather(*(hub.start(f"u{n}") for n in range(9)))
    assert sorted(s.node for s in started) == sorted(NODES * 3)
    assert await hub.volumes() == sorted((f"u{n}", s.node) for n, s in enumerate(started))


async def test_a_server_goes_where_its_home_is(hub):
    """However much freer the other nodes are."""
    hub.context.store.record_home("ada", "n2")
    await hub.engine.ensure_volume(VolumeSpec(home("demo", "ada"), labels("demo", Role.HOME, "ada"), node="n2"))
    hub.engine.change_node("n2", memory_available=GIB)
    await hub.cluster.nodes.look()
    assert (await hub.start()).node == "n2"


async def test_a_home_on_a_node_that_is_away_fails_the_start_at_once(hub):
    """Who, where, since when and what to do are said; no server and no empty home is made elsewhere (fault 21)."""
    await hub.start()
    node = hub.on_nodes["ada"]
    await hub.engine.stop(container_name(hub.context.course, "ada"))
    before = await hub.volumes()
    await hub.is_away(node)
    text = await hub.refused()
    assert f"the files of ada are on {node}, a machine that does not answer since" in text
    assert "firstbell nodes list" in text
    hub.engine.find_node(node)
    await hub.passes(1)
    assert await hub.volumes() == before
    assert (await hub.start()).node == node


async def test_others_start_while_a_node_is_away(hub):
    """A node that is away is passed over for those who have no home on it."""
    await hub.engine.observe("demo")
    hub.cluster.homes.learn(await hub.engine.observe("demo"))
    await hub.is_away("n3")
    started = await asyncio.gather(*(hub.start(f"u{n}") for n in range(4)))
    assert sorted(s.node for s in started) == ["n1", "n1", "n2", "n2"]


async def test_a_lost_record_is_found_again_from_the_volumes(hub):
    """With a fresh database a home is found by its label, and the server goes there."""
    await hub.engine.ensure_volume(VolumeSpec(home("demo", "ada"), labels("demo", Role.HOME, "ada"), node="n3"))
    assert (await hub.start()).node == "n3"
    assert hub.context.store.home_node("ada") == "n3"


async def test_without_a_record_nobody_starts_while_a_node_was_never_searched(hub):
    """A home that may be on a node that is away is not answered with an empty one elsewhere."""
    await hub.engine.ensure_volume(VolumeSpec(home("demo", "ada"), labels("demo", Role.HOME, "ada"), node="n3"))
    await hub.is_away("n3")
    assert "not known whether ada has files on n3" in await hub.refused()
    assert await hub.volumes() == []


async def test_two_homes_of_one_person_are_refused(hub):
    """After a cut both are left alone, and both places are named."""
    for node in ("n1", "n3"):
        await hub.engine.ensure_volume(VolumeSpec(home("demo", "ada"), labels("demo", Role.HOME, "ada"), node=node))
    text = await hub.refused()
    assert "more than one machine: n1 and n3" in text
    assert await hub.volumes() == [("ada", "n1"), ("ada", "n3")]


async def test_a_home_that_was_moved_is_followed(hub):
    """The record follows a volume that is on another node now, where the old node says that it has none."""
    hub.context.store.record_home("ada", "n1")
    await hub.engine.ensure_volume(VolumeSpec(home("demo", "ada"), labels("demo", Role.HOME, "ada"), node="n2"))
    hub.cluster.homes.learn(await hub.engine.observe("demo"))
    assert (await hub.start()).node == "n2"


async def test_a_lost_volume_is_never_an_empty_one(hub):
    """A home that its node has no more fails the start, and none is made."""
    hub.context.store.record_home("ada", "n1")
    assert "files could not be had" in await hub.refused()
    assert await hub.volumes() == []


async def test_a_full_cluster_says_so_of_each_node(hub):
    """The refusal has the numbers of every node, and is the full memory's."""
    for name in NODES:
        hub.engine.change_node(name, memory_available=GIB // 4)
    await hub.cluster.nodes.look()
    text = await hub.refused()
    assert all(f"{name} has 0 MiB left" in text for name in NODES)
    assert "make room" in text


async def test_an_image_that_a_node_lacks_is_named(hub):
    """The failure says which image and which node."""
    hub.engine.images[IMAGE] = ImageState(IMAGE, "sha256:1", nodes=("n9",))
    assert f"image {IMAGE} is not on n" in await hub.refused()


async def test_nobody_waits_behind_a_node_that_is_busy(hub):
    """Two starts hang on one node, whose third waits; people of other nodes pass (fault 12)."""
    for name in NODES:
        hub.engine.change_node(name, cpus=1)
    await hub.cluster.nodes.look()
    for user in ("a", "b", "c"):
        hub.context.store.record_home(user, "n1")
        await hub.engine.ensure_volume(VolumeSpec(home("demo", user), labels("demo", Role.HOME, user), node="n1"))
    report = hub.engine.programs["python3"]

    async def hangs(process):
        await process.terminated.wait()
        return 0

    hub.engine.programs["python3"] = hangs
    stuck = [asyncio.create_task(hub.start(user)) for user in ("a", "b", "c", "d")]

    async def three_run() -> bool:
        return len((await hub.engine.observe("demo")).containers) == 3

    hub.cluster.homes.learn(await hub.engine.observe("demo"))
    await until(three_run, deadline=5)
    hub.engine.programs["python3"] = report
    assert (await hub.start("e")).node != "n1"
    queue = hub.context.queue
    assert [queue.place(user) for user in "abcd"] == [0, 0, 1, 0]
    assert queue.slots == 6
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)


# Leases


async def test_a_second_writer_waits_until_the_first_has_ended_for_certain(shared):
    """With the node of an earlier server away, the next start begins when its lease and the margin are over."""
    shared.cluster.homes.learn(await shared.engine.observe("demo"))
    shared.cluster.leases.grant("ada")
    await shared.is_away("n1")
    assert shared.cluster.leases.left("ada") == LEASE_SECONDS + LEASE_MARGIN - 10
    task = asyncio.create_task(shared.start())

    async def waits() -> bool:
        return bool(shared.context.starts) and not shared.context.queue.waiting

    await until(waits, deadline=5)
    assert not (await shared.engine.observe("demo")).containers
    shared.clock.seconds += LEASE_SECONDS
    assert shared.cluster.leases.left("ada") == 0
    assert (await task).node in {"n2", "n3"}


async def test_nobody_waits_whose_earlier_server_is_known_to_have_ended(shared):
    """While all nodes answer, a restart after a stop takes no longer than any other."""
    await shared.start()
    shared.cluster.leases.grant("ada")
    await shared.engine.stop(container_name(shared.context.course, "ada"))
    assert (await shared.start()).node


async def test_a_node_that_has_just_come_back_does_not_vouch_for_ends(shared):
    """What was removed while it was away may still run there for a moment."""
    await shared.is_away("n2")
    shared.engine.find_node("n2")
    await shared.cluster.nodes.look()
    assert not shared.cluster.nodes.all_there_for(LEASE_SECONDS)
    await shared.passes(LEASE_SECONDS)
    assert shared.cluster.nodes.all_there_for(LEASE_SECONDS)


def test_a_hub_that_has_just_started_knows_of_no_yes_and_counts_from_then():
    """The hub before it may have said yes a moment ago."""
    clock = Clock()
    leases = Leases(25, clock)
    clock.seconds += 12
    assert leases.left("ada") == 25 + LEASE_MARGIN - 12
    leases.grant("ada")
    assert leases.left("ada") == 25 + LEASE_MARGIN
    clock.seconds += 100
    assert leases.left("ada") == 0
