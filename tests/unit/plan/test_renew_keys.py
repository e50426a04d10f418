"""What renews the keys of a cluster, and where."""

from __future__ import annotations

import pytest

from firstbell.errors import EngineUnavailable
from firstbell.model.observed import NodeState
from firstbell.plan.renew_keys import plan_renewal

NODES = (
    NodeState("node1", "1", "10.0.0.1", 1, manager=True, keeps_keys=True),
    NodeState("node2", "2", "10.0.0.2", 2, manager=True),
)
LOST = (NodeState("node1", "1", "10.0.0.1", 1, manager=True, keeps_keys=True, ready=False), NODES[1])
HOLDERS = ("firstbell_link", "firstbell-stats-hub")


def test_keys_are_made_then_handed_to_all_that_had_the_old() -> None:
    """First they are kept, so that whoever is killed after that can begin anew; then each service gets its own."""
    steps = [str(step) for step in plan_renewal(NODES, "1", HOLDERS, has_keys=True, here=False)]
    assert steps == [
        "make new keys of the cluster, kept on node1",
        "give firstbell_link its new keys",
        "give firstbell-stats-hub its new keys",
    ]


def test_another_manager_is_told_where_the_keys_are() -> None:
    """It renews nothing by itself: two managers with keys of their own would cut each other off."""
    with pytest.raises(EngineUnavailable, match="kept by node1") as caught:
        plan_renewal(NODES, "2", HOLDERS, has_keys=False, here=False)
    assert "--here" in caught.value.next_step


def test_a_lost_keeper_is_replaced_only_when_that_is_said_and_so() -> None:
    """`--here` makes another manager the keeper if the old one is away, and refuses while it is there."""
    with pytest.raises(EngineUnavailable, match="node1, which keeps the keys of this cluster, is there"):
        plan_renewal(NODES, "2", HOLDERS, has_keys=False, here=True)
    steps = plan_renewal(LOST, "2", HOLDERS, has_keys=False, here=True)
    assert str(steps[0]) == "make new keys of the cluster, kept on node2"
    away = frozenset({"node1"})
    assert plan_renewal(NODES, "2", HOLDERS, has_keys=False, here=True, away=away) == steps, "long before it is Down"


def test_old_keys_of_a_former_keeper_count_for_nothing() -> None:
    """Who kept keys before another manager became the keeper is told so, whatever is in its volume."""
    nodes = (NodeState("node1", "1", "10.0.0.1", 1, manager=True), NodeState("node2", "2", "", 2, keeps_keys=True))
    with pytest.raises(EngineUnavailable, match="kept by node2"):
        plan_renewal(nodes, "1", HOLDERS, has_keys=True, here=False)


def test_a_cluster_without_keys_has_none_to_renew() -> None:
    """Before the first course there is nothing to do, in words."""
    with pytest.raises(EngineUnavailable, match="no keys yet"):
        plan_renewal((NodeState("node1", "1", "10.0.0.1"),), "1", (), has_keys=False, here=False)
