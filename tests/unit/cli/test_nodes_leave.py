"""`firstbell nodes drain`, `undrain`, `remove` as commands, on a cluster in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstbell.cli import common
from firstbell.engine.fake_cluster import FakeCluster
from firstbell.plan.node_leave import HomeThere, LeaveFacts, Occupant
from firstbell.work import node_leave

from .conftest import Command


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Two nodes."""
    made = FakeCluster()
    made.add_node("node2")

    async def connect(kind: str, host: str = "", certificates: object = None) -> FakeCluster:
        return made

    monkeypatch.setattr(common, "connect", connect)
    return made


def occupied(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster, **there: Any) -> list[tuple[str, ...]]:
    """Let these be on node2; what is stopped is noted."""
    stopped: list[tuple[str, ...]] = []

    async def gather(_: FakeCluster, name: str, *, move_homes: bool = False) -> LeaveFacts:
        return LeaveFacts(name, tuple(cluster.nodes.values()), "node1", **there)

    async def course_of(_: FakeCluster, name: str) -> str:
        return name

    async def stop(_: FakeCluster, course: str, users: tuple[str, ...]) -> None:
        stopped.append((course, *users))

    monkeypatch.setattr(node_leave, "gather", gather)
    monkeypatch.setattr(node_leave, "course_of", course_of)
    monkeypatch.setattr(node_leave, "stop_servers", stop)
    return stopped


def test_drain_asks_for_the_busy(command: Command, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is at work is named; without an answer nothing changes, with --yes their servers end, too."""
    there = (Occupant("c", "ada"), Occupant("c", "bob", is_busy=True))
    stopped = occupied(monkeypatch, cluster, occupants=there, homes=(HomeThere("c", "ada"),))
    refused = command("nodes", "drain", "node2")
    assert refused.code == 8
    assert "bob (c)" in refused.err
    assert "--wait" in refused.err
    assert cluster.nodes["node2"].availability == "active"
    done = json.loads(command("nodes", "drain", "node2", "--yes", "--json").out)
    assert stopped == [("c", "ada"), ("c", "bob")]
    assert cluster.nodes["node2"].availability == "pause"
    assert "ada" in done["left"][0]


def test_dry_run_changes_nothing(command: Command, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What drain and remove would do is shown, without a question."""
    stopped = occupied(monkeypatch, cluster, occupants=(Occupant("c", "bob", is_busy=True),))
    assert "would start no new servers on node2" in command("nodes", "drain", "node2", "--dry-run").out
    occupied(monkeypatch, cluster)
    assert "would let node2 leave" in command("nodes", "remove", "node2", "--dry-run").out
    assert not stopped
    assert cluster.nodes["node2"].availability == "active"


def test_undrain(command: Command, cluster: FakeCluster) -> None:
    """A drained node is used again; one that was never prepared is not."""
    cluster.change_node("node2", availability="pause")
    assert command("nodes", "undrain", "node2").code == 0
    assert cluster.nodes["node2"].usable
    cluster.change_node("node2", number=0)
    assert "firstbell nodes prepare node2" in command("nodes", "undrain", "node2").err


def test_remove_asks(command: Command, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed without a yes."""
    occupied(monkeypatch, cluster)
    assert command("nodes", "remove", "node2").code == 8
    assert "node2" in cluster.nodes


def test_remove_a_lost_node(command: Command, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is away with homes on it goes only with its name typed, and --yes is not enough."""
    cluster.lose_node("node2")
    cluster.change_node("node2", number=0)
    occupied(monkeypatch, cluster, homes=(HomeThere("c", "ada"),))
    refused = command("nodes", "remove", "node2", "--yes")
    assert refused.code == 5
    assert "only copy of the homes of ada" in refused.err
    assert command("nodes", "remove", "node2", "--confirm", "node2").code == 0
    assert "node2" not in cluster.nodes
