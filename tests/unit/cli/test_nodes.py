"""`firstbell nodes` as a command, on a cluster in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.cli import common, nodes
from firstbell.engine.fake_cluster import FakeCluster, FakeMachine
from firstbell.engine.fake_process import Process, Program
from firstbell.errors import EngineUnavailable
from firstbell.model.container import GIB, ContainerSpec, VolumeSpec, frozen
from firstbell.model.names import CLUSTER, Role, labels, link
from firstbell.model.observed import ImageState

from .conftest import Command

HUB_IMAGE = "localhost:5000/firstbell/hub:1"
HUB_DIGEST = "localhost:5000/firstbell/hub@sha256:1"


def looks_well(free: int = 40 * GIB, closed: str = "none") -> Program:
    """What the look at a node prints."""

    async def program(process: Process) -> int:
        targets = process.argv[4:]
        ports = [[t, "silent" if t.endswith(closed) else "open", ""] for t in targets]
        disk, memory = [free, 80 * GIB, 1, 1], [4 * GIB, 3 * GIB]
        said = {"disk": disk, "memory": memory, "source": "10.0.0.2", "ports": ports}
        process.say(json.dumps(said))
        return 0

    return program


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """One manager, which has the hub's image."""
    made = FakeCluster()
    equip(made)

    async def connect(kind: str, host: str = "", certificates: object = None) -> FakeCluster:
        assert kind == "swarm"
        return made

    monkeypatch.setattr(nodes, "connect", connect)
    monkeypatch.setattr(common, "connect", connect)
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


def test_what_the_registry_has_lost_is_asked_of_no_node(command: Command, cluster: FakeCluster) -> None:
    """Images of courses that went with their registry are on no node's list."""
    cluster.add_node("node2")
    cluster.lost.add(HUB_DIGEST)
    assert "lacks images" not in command("nodes", "list").out


def test_course_on_one_machine(command: Command, cluster: FakeCluster) -> None:
    """A course that is on one machine has no nodes, and is told how it gets some."""
    Path("firstbell.toml").write_text('name = "c"\nurl = "http://localhost:8000"\n[server]\nimage = "x"\n')
    told = command("nodes", "list")
    assert told.code == 2
    assert 'kind = "swarm"' in told.err


@pytest.fixture
def machine(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine outside of the Swarm, behind ssh."""
    made = FakeMachine("node2", future=cluster)
    made.programs["python3"] = looks_well()
    cluster.machines["node2"] = made

    async def connect(kind: str, host: str = "", certificates: object = None) -> FakeMachine:
        assert kind == "swarm" or host == "ssh://root@node2"
        return cluster if kind == "swarm" else made

    monkeypatch.setattr(nodes, "connect", connect)
    monkeypatch.setattr(common, "connect", connect)
    return made


def with_link(cluster: FakeCluster) -> None:
    """The link runs on the manager, as `up` leaves it."""
    spec = ContainerSpec(link(), HUB_IMAGE, ("sleep", "infinity"), labels=frozen(labels(CLUSTER, Role.LINK)))
    asyncio.run(cluster.start(spec))


def test_prepare_needs_a_link(command: Command, machine: FakeMachine) -> None:
    """Before the first course there is nothing to prepare a machine with, and that is said."""
    told = command("nodes", "prepare", "--host", "ssh://root@node2")
    assert told.code == 1
    assert "firstbell up" in told.err


def test_prepare_a_machine_outside(command: Command, cluster: FakeCluster, machine: FakeMachine) -> None:
    """A machine is brought the link's image, looked at, joins, is numbered, and gets images and networks; once."""
    with_link(cluster)
    planned = command("nodes", "prepare", "node2", "--host", "ssh://root@node2", "--dry-run")
    assert planned.code == 0
    assert "node2" not in cluster.nodes
    assert [line.split()[1] for line in planned.out.splitlines()] == [
        "bring", "check", "let", "make", "wait", "pull", "make",
    ]  # fmt: skip
    done = command("nodes", "prepare", "node2", "--host", "ssh://root@node2")
    assert done.code == 0, done.err
    assert cluster.nodes["node2"].usable
    assert cluster.nodes["node2"].number == 2
    assert cluster.nodes["node2"].address == "10.0.0.2"
    assert HUB_IMAGE in machine.images
    assert cluster.given_networks == ["node2"]
    again = json.loads(command("nodes", "prepare", "node2", "--json").out)
    assert again["steps"] == ["make the courses' networks on node2"]


def test_prepare_without_a_way(command: Command, cluster: FakeCluster) -> None:
    """A node that cannot be reached is answered with exactly what to type."""
    with_link(cluster)
    cluster.add_node("node3", number=0, linked=False)
    assert "firstbell nodes prepare node3 --host ssh://root@10.0.0.2" in command("nodes", "prepare", "node3").err
    assert "firstbell nodes prepare node9 --host ssh://root@node9" in command("nodes", "prepare", "node9").err


def test_prepare_again_after_a_kill(command: Command, cluster: FakeCluster, machine: FakeMachine) -> None:
    """Whatever step it was killed at, the next run finishes and does nothing twice."""
    with_link(cluster)
    cluster.fail_next("label_node", EngineUnavailable("killed"))
    assert command("nodes", "prepare", "--host", "ssh://root@node2").code == 3
    done = json.loads(command("nodes", "prepare", "--host", "ssh://root@node2", "--json").out)
    assert [step.split()[0] for step in done["steps"]] == ["check", "make", "wait", "pull", "make"]
    assert [verb for verb, _ in machine.calls].count("join") == 1


def test_closed_port_stops_before_the_join(command: Command, cluster: FakeCluster, machine: FakeMachine) -> None:
    """A machine that does not reach the manager's port is told which to open, and has not joined."""
    with_link(cluster)
    machine.programs["python3"] = looks_well(closed=":2377")
    told = command("nodes", "prepare", "--host", "ssh://root@node2")
    assert told.code == 1
    assert "2377" in told.err
    assert "nc -vz 10.0.0.1 2377" in told.err
    assert "node2" not in cluster.nodes


def test_other_swarm_is_refused(command: Command, cluster: FakeCluster, machine: FakeMachine) -> None:
    """A machine of another Swarm is not taken out of it."""
    with_link(cluster)
    machine.member = replace(machine.member, state="active", node_id="elsewhere")
    told = command("nodes", "prepare", "--host", "ssh://root@node2")
    assert told.code == 1
    assert "belongs to another Swarm" in told.err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"version": "19.03.1"}, "20.10 or newer"),
        ({"architecture": "aarch64"}, "another kind"),
        ({"skew": 900.0}, "clock of node2"),
        ({"name": "node1"}, "called node1 already"),
        ({"state": "locked"}, "half in a Swarm"),
    ],
)
def test_refused(
    command: Command, cluster: FakeCluster, machine: FakeMachine, changed: dict[str, Any], words: str
) -> None:
    """A machine that cannot be a node is refused before anything is changed, with what helps."""
    with_link(cluster)
    machine.member = replace(machine.member, **changed)
    told = command("nodes", "prepare", "--host", "ssh://root@node2")
    assert told.code == 1
    assert words in told.err
    assert "next:" in told.err
    assert not machine.images
