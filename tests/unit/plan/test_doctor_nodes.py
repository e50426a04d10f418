"""What the doctor finds on the nodes of a cluster, from facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firstbell.model.container import GIB, MIB
from firstbell.model.course import Access, Course, Server
from firstbell.model.membership import ManagerState
from firstbell.model.observed import NodeState
from firstbell.plan.doctor_facts import Disk, Finding, Level
from firstbell.plan.doctor_nodes import cluster_findings
from firstbell.plan.node_facts import ClusterFacts, CourseAddresses, NodeLook, PortAnswer, PortLook


def node(number: int) -> NodeLook:
    state = NodeState(
        f"node{number}", f"id{number}", f"10.0.0.{number}", number, manager=number <= 3, linked=True,
        version="20.10.24", cpus=4, memory=16 * GIB, memory_available=12 * GIB,
    )  # fmt: skip
    return NodeLook(state, architecture="x86_64", disk=Disk("x", 50 * GIB, 100 * GIB, 1, 1), skew=0.02)


GOOD = ClusterFacts(
    nodes=(node(1), node(2), node(3)),
    managers=tuple(ManagerState(f"node{n}", f"10.0.0.{n}", True) for n in (1, 2, 3)),
    courses=(CourseAddresses("stats", "172.20.0.0/20", 12),),
)


def found(facts: ClusterFacts, course: Course | None = None) -> list[Finding]:
    return list(cluster_findings(facts, course))


def with_node(**changes: Any) -> ClusterFacts:
    """The good cluster, whose second node is as given."""
    state = {key: changes.pop(key) for key in list(changes) if key in NodeState.__dataclass_fields__}
    good = node(2)
    second = replace(good, node=replace(good.node, **state), **changes)
    return replace(GOOD, nodes=(GOOD.nodes[0], second, GOOD.nodes[2]))


def closed(port: int, answer: PortAnswer = PortAnswer.SILENT) -> tuple[PortLook, ...]:
    return (PortLook("node2", "node1", "10.0.0.1", port, answer, "no answer"),)


def test_good_cluster_has_no_complaint() -> None:
    """On a good cluster everything is ok, and each node says what it has."""
    assert {f.level for f in found(GOOD)} == {Level.OK}
    assert any(f.where == "node2" and "12 GB of 16 GB memory free" in f.what for f in found(GOOD))


@pytest.mark.parametrize(
    ("facts", "level", "what", "remedy"),
    [
        (with_node(version="19.03.8"), Level.PROBLEM, "older than 20.10", "nodes drain node2"),
        (with_node(ready=False), Level.PROBLEM, "does not hear", "nodes remove node2"),
        (with_node(linked=False), Level.PROBLEM, "link does not answer", "18079"),
        (with_node(number=0, linked=False, manager=False), Level.NOTE, "not prepared", "--host ssh://root@10.0.0.2"),
        (with_node(availability="pause"), Level.NOTE, "no new servers", "nodes undrain node2"),
        (with_node(architecture="aarch64"), Level.PROBLEM, "processor is aarch64", "nodes remove node2"),
        (with_node(skew=-45.0), Level.WARNING, "45 s behind", "set-ntp"),
        (with_node(skew=400.0), Level.PROBLEM, "400 s ahead", "set-ntp"),
        (with_node(disk=Disk("x", GIB, 100 * GIB)), Level.PROBLEM, "little disk", "docker image prune"),
        (with_node(memory_available=300 * MIB), Level.WARNING, "300 MB", "status"),
        (with_node(missing_images=("localhost:5000/c@sha256:1",)), Level.WARNING, "is not there", "prepare node2"),
        (with_node(missing_networks=("stats",)), Level.WARNING, "network of the course “stats”", "prepare node2"),
        (with_node(ports=closed(2377)), Level.PROBLEM, "port 2377 of node1", "nc -vz 10.0.0.1 2377"),
        (with_node(ports=closed(2377, PortAnswer.REFUSED)), Level.PROBLEM, "refuses", "nc -vz 10.0.0.1 2377"),
        (with_node(ports=closed(18079)), Level.PROBLEM, "nobody's server", "nc -vz 10.0.0.1 18079"),
        (with_node(ports=closed(7946)), Level.WARNING, "courses do not", "nc -vz 10.0.0.1 7946"),
        (replace(GOOD, managers=GOOD.managers[:2]), Level.WARNING, "two managers", "promote a third"),
        (replace(GOOD, managers=GOOD.managers[:1]), Level.NOTE, "one manager", "docker node promote"),
        (
            replace(GOOD, managers=(*GOOD.managers[:2], replace(GOOD.managers[2], is_reachable=False))),
            Level.PROBLEM, "1 of 3 managers away: node3; if one more goes", "demote node3",
        ),
        (replace(GOOD, is_autolocked=True), Level.WARNING, "autolocked", "unlock-key"),
        (replace(GOOD, courses=(CourseAddresses("c", "10.0.0.0/28", 60),)), Level.PROBLEM, "13 addresses", "subnet ="),
    ],
)  # fmt: skip
def test_complaints(facts: ClusterFacts, level: Level, what: str, remedy: str) -> None:
    """What is amiss is said of the right node, as bad as it is, with what to type."""
    matching = [f for f in found(facts) if what in f.what]
    assert [f.level for f in matching] == [level]
    assert remedy in matching[0].remedy


def test_refused_is_well_where_nothing_listens_yet() -> None:
    """A refusal shows that the way is open, but for the managers' port, where a Swarm must listen."""
    assert {f.level for f in found(with_node(ports=closed(18079, PortAnswer.REFUSED)))} == {Level.OK}


def test_a_limit_that_no_node_holds() -> None:
    """A server larger than the largest node is named, though all nodes together could hold it."""
    course = Course(name="big", url="https://a.example.org", server=Server(image="x", memory=40 * GIB))
    assert any("more than any node" in f.what for f in found(GOOD, course))


def test_capacity_beyond_addresses() -> None:
    """The course's capacity is held against the addresses that all nodes have for it."""
    course = Course(name="stats", url="https://a.example.org", server=Server(image="x"), access=Access(capacity=50))
    facts = replace(GOOD, courses=(CourseAddresses("stats", "10.0.0.0/28", 1),))
    assert any("50 servers, but 3 nodes with 13 addresses" in f.what for f in found(facts, course))


def test_a_daemon_that_lets_programs_gain_rights_is_noted() -> None:
    """It is a note with what to write where, and no warning: without capabilities such a program can do little."""
    [told] = [finding for finding in found(with_node(may_gain_rights=True)) if "no-new-privileges" in finding.what]
    assert (told.level, told.where) == (Level.NOTE, "node2")
    assert "/etc/docker/daemon.json" in told.remedy
    assert not any("no-new-privileges" in finding.what for finding in found(GOOD))


@pytest.mark.parametrize(
    ("keys", "authority", "level", "remedy"),
    [
        (3000, 9000, Level.OK, ""),
        (200, 9000, Level.WARNING, "firstbell up"),
        (-1, 9000, Level.PROBLEM, "firstbell up"),
        (3000, 100, Level.WARNING, "firstbell nodes renew-keys"),
        (3000, -1, Level.PROBLEM, "firstbell nodes renew-keys"),
    ],
)
def test_keys_that_end_are_told_of_in_time(keys: int, authority: int, level: Level, remedy: str) -> None:
    """A year before keys or their authority run out the doctor says so, with what renews them."""
    facts = replace(GOOD, keys_days=keys, authority_days=authority)
    told = [finding for finding in found(facts) if finding.where == "keys"]
    assert [(finding.level, finding.remedy) for finding in told] == [(level, remedy)]
