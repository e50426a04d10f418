"""`firstbell nodes` as a command, on a cluster in memory."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from firstbell.cli import nodes
from firstbell.engine.fake_cluster import FakeCluster, FakeMachine
from firstbell.engine.fake_process import Process, Program
from firstbell.model.container import GIB, VolumeSpec, frozen
from firstbell.model.names import Role, labels
from firstbell.model.observed import ImageState

from .conftest import Command

HUB_IMAGE = "localhost:5000/firstbell/hub:1"
HUB_DIGEST = "localhost:5000/firstbell/hub@sha256:1"


def looks_well(free: int = 40 * GIB) -> Program:
    """What the look at a node prints."""

    async def program(process: Process) -> int:
        targets = process.argv[4:]
        said = {
            "disk": [free, 80 * GIB, 1, 1],
            "memory": [4 * GIB, 3 * GIB],
            "ports": [[t, "open", ""] for t in targets],
        }
        process.say(json.dumps(said))
        return 0

    return program


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """One manager, which has the hub's image."""
    made = FakeCluster()
    equip(made)

    async def connect(kind: str, host: str = "") -> FakeCluster:
        assert kind == "swarm"
        return made

    monkeypatch.setattr(nodes, "connect", connect)
    return made


def equip(machine: FakeMachine) -> None:
    """Give a machine the hub's image, in which it can be looked at."""
    machine.images[HUB_IMAGE] = ImageState(
        HUB_IMAGE,
        "sha256:1",
        labels=frozen(labels("", Role.HUB_IMAGE)),
        digests=(HUB_DIGEST,),
    )
    machine.images[HUB_DIGEST] = machine.images[HUB_IMAGE]
    machine.programs["python3"] = looks_well()


def test_list(command: Command, cluster: FakeCluster) -> None:
    """Every node is shown with how it stands, also one that is away and one that was not prepared."""
    cluster.add_node("node2")
    cluster.add_node("node3", number=0, linked=False)
    equip(cluster.machines.setdefault("node2", FakeMachine("node2")))
    asyncio.run(cluster.ensure_volume(VolumeSpec("h", labels("c", Role.HOME, "ada"), node="node2")))
    shown = command("nodes", "list")
    assert shown.code == 0
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "manager" in lines["node1"] and "in use" in lines["node1"] and "40 GB of 80 GB" in lines["node1"]
    assert "worker" in lines["node2"] and lines["node2"].split()[-1] == "1"
    assert "not prepared" in lines["node3"]
    cluster.lose_node("node2")
    told = {node["name"]: node for node in json.loads(command("nodes", "list", "--json").out)}
    assert (told["node2"]["ready"], told["node2"]["usable"]) == (False, False)
    assert told["node1"]["disk_free"] == 40 * GIB


def test_list_tells_of_missing_images(command: Command, cluster: FakeCluster) -> None:
    """A node without the newest image of the cluster's registry is named, with what brings it."""
    cluster.add_node("node2")
    assert "firstbell nodes prepare node2" in command("nodes", "list").out


def test_course_on_one_machine(command: Command, cluster: FakeCluster) -> None:
    """A course that is on one machine has no nodes, and is told how it gets some."""
    Path("firstbell.toml").write_text('name = "c"\nurl = "http://localhost:8000"\n[server]\nimage = "x"\n')
    told = command("nodes", "list")
    assert told.code == 2
    assert 'kind = "swarm"' in told.err
