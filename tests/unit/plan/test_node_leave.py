"""What takes a node out of use, or out of the cluster, from facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firstbell.errors import CourseFileError, FirstbellError, HomeMissing
from firstbell.model.observed import NodeState
from firstbell.plan.node_leave import HomeThere, LeaveFacts, Occupant, left_words, plan_drain, plan_remove


def node(number: int, **changes: Any) -> NodeState:
    state = NodeState(f"node{number}", f"id{number}", f"10.0.0.{number}", number, manager=number == 1, linked=True)
    return replace(state, **changes)


FACTS = LeaveFacts("node2", (node(1), node(2), node(3)), own="node1")
FULL = replace(
    FACTS,
    occupants=(Occupant("c", "ada"), Occupant("c", "bob", is_busy=True), Occupant("d", "cy")),
    homes=(HomeThere("c", "ada", "node3"), HomeThere("c", "eve", "node1")),
)


def words(*, move_homes: bool = False, facts: LeaveFacts = FULL) -> list[str]:
    return [str(step) for step in plan_drain(facts, move_homes=move_homes)]


def test_drain_begins_with_nothing_new() -> None:
    """First nobody new comes, then the idle end by course, then the busy, and homes move only if that was asked for."""
    assert words() == [
        "start no new servers on node2",
        "stop the idle servers of ada on node2",
        "stop the idle servers of cy on node2",
        "stop the busy servers of bob on node2",
    ]
    assert words(move_homes=True)[4:] == [
        "move the home of ada (c) from node2 to node3",
        "move the home of eve (c) from node2 to node1",
    ]


def test_drained_and_empty_is_nothing_to_do() -> None:
    """A node that is paused and empty needs no step."""
    assert words(facts=replace(FACTS, nodes=(node(1), node(2, availability="pause")))) == []


def test_homes_left_behind_are_named() -> None:
    """Whoever's home stays is named, with the command that moves it."""
    (line,) = left_words(FULL)
    assert "ada, eve" in line
    assert "--move-homes" in line


def test_remove_an_empty_node() -> None:
    """It gets nothing new, a helper that cleans up, loses its labels, and is struck off last."""
    assert [str(step) for step in plan_remove(FACTS)] == [
        "start no new servers on node2",
        "let node2 leave the Swarm",
        "take guard and link off node2",
        "strike node2 off the Swarm's list",
    ]


def test_remove_goes_on_after_a_kill() -> None:
    """A node that has left already is only struck off."""
    gone = replace(FACTS, nodes=(node(1), replace(node(2, ready=False, linked=False), number=0)))
    assert [str(step) for step in plan_remove(gone)] == ["strike node2 off the Swarm's list"]


@pytest.mark.parametrize(
    ("facts", "kind", "what", "next_step"),
    [
        (replace(FACTS, name="node9"), CourseFileError, "no node node9", "node1, node2, node3"),
        (replace(FACTS, name="node1"), FirstbellError, "keeps the courses' own parts", "firstbell down"),
        (replace(FACTS, keeps_registry=True), FirstbellError, "registry", "firstbell down"),
        (replace(FACTS, nodes=(node(1), node(2, manager=True))), FirstbellError, "is a manager", "docker node demote"),
        (replace(FULL, homes=()), FirstbellError, "servers run on node2: ada, bob, cy", "nodes drain node2"),
        (replace(FULL, occupants=()), HomeMissing, "those of ada, eve", "nodes drain node2 --move-homes"),
        (
            replace(FULL, nodes=(node(1), node(2, ready=False, linked=False))),
            HomeMissing, "away and has the only copy", "nodes remove node2 --confirm node2",
        ),
    ],
)  # fmt: skip
def test_remove_refuses(facts: LeaveFacts, kind: type[FirstbellError], what: str, next_step: str) -> None:
    """While files, work, or what all need is on a node, it stays, and it is said what to type."""
    with pytest.raises(kind) as caught:
        plan_remove(facts)
    assert what in caught.value.what
    assert next_step in caught.value.next_step


def test_a_lost_node_goes_only_with_its_name_typed() -> None:
    """Homes on a node that is lost for good are given up only on purpose."""
    lost = replace(FULL, nodes=(node(1), node(2, ready=False, linked=False)))
    assert str(plan_remove(lost, may_lose_homes=True)[-1]) == "strike node2 off the Swarm's list"
