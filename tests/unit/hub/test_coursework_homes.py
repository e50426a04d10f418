"""Homes as the coursework of a cluster finds and makes them, on nodes in memory."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from firstbell.engine.fake_cluster import FakeCluster
from firstbell.errors import CourseBusy, HomeMissing
from firstbell.hub.coursework import homes as coursework_homes
from firstbell.hub.coursework.homes import CourseHomes
from firstbell.hub.coursework.people import Roll
from firstbell.hub.homes import choice as home_choice
from firstbell.hub.people.book import PeopleStore
from firstbell.model.course import Course
from firstbell.plan.home import home_volume

COURSE = Course.model_validate(
    {"name": "stats", "server": {"image": "i"}, "engine": {"kind": "swarm"}, "coursework": {}}
)
NODES = ("node1", "node2", "node3")


class Nodes:
    """A course on three nodes, and the hub's record."""

    def __init__(self, root: Path) -> None:
        self.cluster = FakeCluster()
        for name in NODES[1:]:
            self.cluster.add_node(name)
        self.store = PeopleStore(root / "people.sqlite", b"k" * 32)
        for name in NODES:
            self.store.keep(f"homes-of-node:{name}", "1")
        self.homes = CourseHomes(COURSE, self.store, self.cluster, "image", Roll(COURSE, self.store))

    async def volume(self, user: str, node: str) -> None:
        """A home of theirs that nobody has recorded."""
        await self.cluster.ensure_volume(home_volume(COURSE, user, node))


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """Looks hold no longer than the question they are for."""
    monkeypatch.setattr(coursework_homes, "_NODES_FOR", -1.0)
    monkeypatch.setattr(coursework_homes, "_FOUND_FOR", -1.0)
    return Nodes(tmp_path)


async def test_who_was_never_in_gets_a_home_on_the_node_with_the_fewest(nodes: Nodes) -> None:
    """Homes made before anybody comes are spread over all nodes that are in use, and each is recorded."""
    nodes.cluster.change_node("node3", availability="drain")
    for user in ("ada", "ben", "cem", "dan"):
        await nodes.homes.make(user)
    where = nodes.store.home_nodes()
    assert sorted(where.values()) == ["node1", "node1", "node2", "node2"]
    volumes = {volume.user: volume.node for volume in (await nodes.cluster.observe("stats")).volumes}
    assert volumes == where
    home = await nodes.homes.find("ben")
    assert home is not None and home.engine is await nodes.cluster.on(where["ben"])


async def test_a_home_that_nobody_recorded_is_found_on_its_node(nodes: Nodes) -> None:
    """As after an import: work is put there, not beside it on another node."""
    await nodes.volume("ada", "node3")
    home = await nodes.homes.make("ada")
    assert home.engine is await nodes.cluster.on("node3")
    assert len((await nodes.cluster.observe("stats")).volumes) == 1


async def test_a_home_whose_node_is_away_is_waited_for_by_name(nodes: Nodes) -> None:
    """Who and where, as something that passes; others are served meanwhile; a node that left for good fails."""
    await nodes.volume("ada", "node2")
    nodes.store.record_home("ada", "node2")
    nodes.cluster.lose_node("node2")
    with pytest.raises(CourseBusy, match="the files of ada are on node2, which does not answer"):
        await nodes.homes.find("ada")
    assert await nodes.homes.make("ben")
    assert nodes.store.home_node("ben") != "node2"
    nodes.cluster.find_node("node2")
    assert await nodes.homes.find("ada")
    del nodes.cluster.nodes["node2"]
    with pytest.raises(HomeMissing, match="no node of this cluster any more"):
        await nodes.homes.find("ada")


async def test_nobody_gets_an_empty_home_who_may_have_one_on_a_node_that_was_never_asked(nodes: Nodes) -> None:
    """A hub whose record is new knows nothing of a node that is away: neither made, nor taken for somebody without."""
    nodes.store.keep("homes-of-node:node9", "1")
    nodes.cluster.add_node("node4")
    nodes.cluster.lose_node("node4")
    for verb in (nodes.homes.find, nodes.homes.make):
        with pytest.raises(CourseBusy, match="not known whether ada has files on node4"):
            await verb("ada")
    assert not (await nodes.cluster.observe("stats")).volumes


async def test_without_a_node_in_use_homes_wait(nodes: Nodes) -> None:
    """All are drained: nothing is made anywhere."""
    for name in NODES:
        nodes.cluster.change_node(name, availability="drain")
    with pytest.raises(CourseBusy, match="no node takes homes"):
        await nodes.homes.make("ada")


async def test_a_start_and_the_desk_make_one_home(nodes: Nodes) -> None:
    """Whoever chooses first is followed, the other's place is refused; a home that is there is no choice any more."""
    assert home_choice.choose(nodes.store, "ada", "node3") == "node3"
    home = await nodes.homes.make("ada")
    assert home.engine is await nodes.cluster.on("node3") and nodes.store.home_node("ada") == "node3"
    with pytest.raises(HomeMissing, match="on node3 in this moment"):
        home_choice.must_be(nodes.store, "ada", "node1")
    home_choice.must_be(nodes.store, "ada", "node3")


async def test_a_choice_ends_with_whoever_was_killed(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while another node may be chosen; also where the clock was set back."""
    assert home_choice.choose(nodes.store, "ada", "node3") == "node3"
    late = time.time() + 600
    monkeypatch.setattr("firstbell.hub.homes.choice.time.time", lambda: late)
    assert home_choice.choose(nodes.store, "ada", "node1") == "node1"
    nodes.store.keep("home-chosen:ben", json.dumps({"node": "node2", "until": late + 10**6}))
    assert home_choice.choose(nodes.store, "ben", "node1") == "node1"
