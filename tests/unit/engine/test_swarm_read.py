"""What a manager says of nodes and tasks, in shapes that Engine 20.10.24 sent, and what it means for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firstbell.engine import swarm_failure, swarm_read
from firstbell.engine.docker_api import Answer
from firstbell.errors import FirstbellError, HomeMissing, StartFailed
from firstbell.model.container import GIB, MIB, ContainerSpec, Limits, Mount, MountKind
from firstbell.model.observed import NodeState, Phase

SPEC = ContainerSpec("firstbell-c-server-ada", "localhost:5000/course:1", ("run",), limits=Limits(memory=2 * GIB))


def node(name: str = "swn1", **more: Any) -> dict[str, Any]:
    return {
        "ID": f"id-of-{name}",
        "Version": {"Index": 9},
        "Spec": {"Labels": {}, "Role": "manager", "Availability": "active"},
        "Description": {
            "Hostname": name,
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2000000000, "MemoryBytes": 25276510208},
            "Engine": {"EngineVersion": "20.10.24+dfsg1"},
        },
        "Status": {"State": "ready", "Addr": "10.77.0.1"},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "10.77.0.1:2377"},
        **more,
    }


def task(state: str = "failed", **more: Any) -> dict[str, Any]:
    status = {
        "Timestamp": "2026-11-21T13:56:55.939601193Z",
        "State": state,
        "Message": "started",
        "Err": "task: non-zero exit (3)",
        "ContainerStatus": {"ContainerID": "85dc3fd2b1c4", "PID": 0, "ExitCode": 3},
        "PortStatus": {},
    }
    return {
        "ID": "h8ibb3667mf040c6vatorm8bn",
        "CreatedAt": "2026-11-21T13:56:53.370645215Z",
        "Spec": {"ContainerSpec": {"Image": "swtry:1", "Labels": {"firstbell.name": "server-ada"}}},
        "ServiceID": "x4e7ph44ly99iaxxb8msuv84s",
        "Slot": 1,
        "NodeID": "id-of-swn1",
        "Status": {**status, **more.pop("status", {})},
        "DesiredState": "shutdown",
        **more,
    }


def test_a_node() -> None:
    """Name, address, cores and memory are the manager's words; one that nobody prepared has no number."""
    (found,) = swarm_read.nodes([node()])
    assert found == NodeState(
        "swn1", "id-of-swn1", "10.77.0.1", manager=True, version="20.10.24+dfsg1", cpus=2, memory=25276510208
    )
    assert not found.prepared


def test_a_prepared_node() -> None:
    """Its number counts only with the label that makes it ready."""
    labels = {"firstbell.ready": "true", "firstbell.number": "7"}
    spec = {"Labels": labels, "Role": "worker", "Availability": "drain"}
    (found,) = swarm_read.nodes([node(Spec=spec, ManagerStatus=None)])
    assert (found.number, found.manager, found.availability) == (7, False, "drain")
    (other,) = swarm_read.nodes([node(Spec={**spec, "Labels": {**labels, "firstbell.ready": "no"}})])
    assert other.number == 0


def test_two_machines_of_one_name_are_two_nodes() -> None:
    """Where host names are the same, ids tell the nodes apart."""
    made = swarm_read.nodes([node(ID="aaaaaaaaaa"), node(ID="bbbbbbbbbb")])
    assert [one.name for one in made] == ["swn1-aaaaaa", "swn1-bbbbbb"]


def test_a_manager_that_says_its_address_is_any_is_asked_for_its_other() -> None:
    """`0.0.0.0` is no address."""
    (found,) = swarm_read.nodes([node(Status={"State": "ready", "Addr": "0.0.0.0"})])
    assert found.address == "10.77.0.1"


def test_an_ended_task_without_its_container() -> None:
    """What the node reported before it went away is believed: the exit code and the words."""
    state = swarm_read.without_container(swarm_read.task(task()), "swn1")
    assert (state.name, state.phase, state.exit_code, state.node) == ("server-ada", Phase.EXITED, 3, "swn1")
    assert state.error == "task: non-zero exit (3)"


@pytest.mark.parametrize("state", ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting"])
def test_a_task_on_its_way_neither_runs_nor_is_dead(state: str) -> None:
    """Its phase is PENDING, and what Docker says of it is kept."""
    entry = swarm_read.task(task(state, status={"Err": "", "ContainerStatus": {}}))
    found = swarm_read.without_container(entry, "swn1")
    assert (found.phase, found.exit_code, found.error) == (Phase.PENDING, None, "started")


@pytest.mark.parametrize("state", ["rejected", "failed"])
def test_a_refused_task_is_neither_running_nor_dead(state: str) -> None:
    """A node refused it before there was a container."""
    words = "No such image: localhost:5000/course:1"
    entry = swarm_read.task(task(state, status={"Err": words, "ContainerStatus": {}}))
    assert entry.is_refused
    assert swarm_read.without_container(entry, "swn1").phase is Phase.PENDING


@pytest.mark.parametrize(
    ("state", "phase"),
    [("running", Phase.UNKNOWN), ("orphaned", Phase.UNKNOWN), ("starting", Phase.UNKNOWN), ("failed", Phase.EXITED)],
)
def test_a_silent_node_leaves_its_tasks_unknown(state: str, phase: Phase) -> None:
    """Nobody is declared dead by silence; only an end that the node reported itself counts."""
    (home,) = swarm_read.nodes([node()])
    found = swarm_read.unanswered(swarm_read.task(task(state)), home, "no answer")
    assert found.phase is phase
    if phase is Phase.UNKNOWN:
        assert found.error == "the node swn1 does not answer: no answer"


def test_the_newest_wanted_task_counts() -> None:
    """Of a slot the wanted one, of a service on every node one for each; what Swarm ended itself is history."""
    old = swarm_read.task(task(ID="old", CreatedAt="2026-11-21T13:00:00Z"))
    new = replace(old, id="new", desired="running", created_at="2026-11-21T12:00:00Z")
    assert [one.id for one in swarm_read.current([new, old])] == ["new"]
    here = replace(old, id="here", slot=0, node_id="1", state="shutdown")
    there = replace(new, id="there", slot=0, node_id="2")
    found = swarm_read.current([here, there])
    assert [(one.id, one.counts) for one in found] == [("here", False), ("there", True)]


@pytest.mark.parametrize(
    ("words", "expected", "kind"),
    [
        ("no suitable node (insufficient resources on 3 nodes)", "no node has 2 GB free", StartFailed),
        ("No such image: localhost:5000/course:1", "localhost:5000/course:1 is not on node2", StartFailed),
        ("no suitable node (scheduling constraints not satisfied on 3 nodes)", "finds no node for", StartFailed),
        ('invalid mount config for type "bind": bind source path does not exist: /mnt/homes/ada',
         "cannot be had", HomeMissing),
        ("failed to allocate gateway (172.20.0.1): No available IPv4 addresses on this network", "no address is left",
         StartFailed),
        ("starting container failed: Minimum memory limit allowed is 6MB", "memory limit", StartFailed),
        ("write /var/lib/docker: no space left on device", "disk of the Docker Engine is full", StartFailed),
        ("cannot create a swarm scoped network when swarm is not active", "node2 takes no part in its Swarm",
         StartFailed),
        ("something new", "could not be started", StartFailed),
    ],
)  # fmt: skip
def test_words_for_people(words: str, expected: str, kind: type[FirstbellError]) -> None:
    """The manager's or node's sentence becomes what happened, with its own words as evidence and a next step."""
    placed = "" if "no suitable node" in words else "node2"
    error = swarm_failure.of_task(words, SPEC, placed)
    assert expected in error.what
    assert type(error) is kind
    assert words in error.evidence
    assert error.next_step


@pytest.mark.parametrize(
    ("words", "what", "next_step"),
    [
        ("rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster",
         "join token was changed", "Run the command again"),
        ("remote CA does not match fingerprint. Expected: 1a", "another Swarm answers", "Run the command again"),
        ("Timeout was reached before node joined.", "does not reach the Swarm's manager", "nc -vz 10.0.0.1 2377"),
        ("This node is already part of a swarm.", "belongs to a Swarm already", "docker swarm leave --force"),
        ("something else", "could not join", "docker info"),
    ],
)  # fmt: skip
def test_why_a_machine_could_not_join(words: str, what: str, next_step: str) -> None:
    """The daemon's sentence becomes what happened, where, and what to type."""
    error = swarm_failure.of_join(words, ("10.0.0.1:2377",))
    assert what in error.what
    assert next_step in error.next_step
    assert (error.where, error.evidence) == ("10.0.0.1:2377", (words,))


def test_a_node_that_takes_nothing_is_named() -> None:
    """Drained, paused or away: which one, and for whoever has a home that it is there."""
    node2 = NodeState("node2", "2", "10.0.0.2", number=2)
    assert swarm_failure.unfit(node2, SPEC) is None
    drained = swarm_failure.unfit(replace(node2, availability="drain"), SPEC)
    assert drained and "node2 is drained" in drained.what
    home = replace(SPEC, mounts=(Mount(MountKind.VOLUME, "home", "/home"),))
    away = swarm_failure.unfit(replace(node2, ready=False), home)
    assert isinstance(away, HomeMissing) and "node2 is away" in away.what


@pytest.mark.parametrize(
    ("more", "what"), [({"gpus": "all"}, "graphics card"), ({"ports": (("127.0.0.1", 1, 1),)}, "a port")]
)
def test_what_no_service_can_be_is_refused(more: dict[str, Any], what: str) -> None:
    """Before anything is made, and with the kind of engine that can."""
    error = swarm_failure.refused(replace(SPEC, **more))
    assert error and what in error.what
    assert 'kind = "docker"' in error.next_step


def test_a_memory_limit_that_swarm_refuses() -> None:
    """The manager's own check has other words than a node's."""
    answer = Answer(400, "invalid memory value 1024: Must be at least 4MiB")
    small = replace(SPEC, limits=Limits(memory=MIB))
    assert "memory limit" in swarm_failure.of_service(answer, small).what


def test_a_file_that_was_swept_away_is_told_from_other_refusals() -> None:
    """Only that is a reason to make it again."""
    gone = Answer(400, "rpc error: code = InvalidArgument desc = config not found: wyfkb2dfnqqivdh6pwo6dx5sc")
    assert swarm_failure.lacks_file(gone)
    assert not swarm_failure.lacks_file(Answer(404, "network firstbell-c-servers not found"))
