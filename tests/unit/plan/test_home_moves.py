"""How far a move came that was cut short, by volumes, markers and the hub's record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstbell.errors import FirstbellError, HomeAway, HomeMissing
from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import EngineFacts, NodeState, Observed, VolumeState
from firstbell.model.steps import RemoveVolume
from firstbell.plan import deploy, swarm
from firstbell.plan.home_moves import Settled, choose_target, homes_found, settle


def seen(homes: str, marked: str = "", away: str = "") -> Observed:
    """Nodes a, b and c; where ada's home is, and beside which a marker; `away` do not answer."""
    nodes = tuple(
        NodeState(n, n, "10.0.0.1", number=1, ready=n not in away, linked=n not in away) for n in ("a", "b", "c")
    )
    volumes = tuple(
        VolumeState(f"v-{role.value}", frozen(names.labels("demo", role, "ada")), node=n)
        for role, on in ((Role.HOME, homes), (Role.MOVING, marked))
        for n in on
    )
    return Observed("demo", engine=EngineFacts(nodes=nodes), volumes=volumes)


@pytest.mark.parametrize(
    ("homes", "marked", "recorded", "settled"),
    [
        ("a", "", "a", Settled("a")),
        ("a", "b", "a", Settled("a", (), ("b",))),  # killed before the copy began
        ("ab", "b", "a", Settled("a", ("b",), ("b",))),  # while it was made
        ("ab", "ab", "a", Settled("a", ("b",), ("a", "b"))),  # compared, the record not yet changed
        ("ab", "ab", "b", Settled("b", ("a",), ("a", "b"))),  # changed
        ("ab", "a", "b", Settled("b", ("a",), ("a",))),  # the old one not yet removed
        ("b", "a", "b", Settled("b", (), ("a",))),  # removed, but for its marker
        ("a", "", "", Settled("a")),  # the record was lost
        ("ab", "b", "", Settled("a", ("b",), ("b",))),
    ],
)
def test_every_step_is_known_again(homes, marked, recorded, settled):
    """Whatever was left says which home is the right one, and what goes."""
    assert settle(seen(homes, marked), "ada", recorded) == settled


def test_two_homes_without_a_marker_are_nobodys_guess():
    """Neither is removed, nor is one chosen without a record."""
    with pytest.raises(FirstbellError, match="a and b"):
        settle(seen("ab"), "ada", "")
    with pytest.raises(FirstbellError, match="a and b"):
        settle(seen("ab"), "ada", "a")


def test_a_home_whose_node_is_away_is_said_to_be_there():
    """Who, where, and what to do; what another node has is no reason to take that instead."""
    with pytest.raises(HomeMissing, match="ada are on a, which does not answer") as caught:
        settle(seen("b", "b", away="a"), "ada", "a")
    assert "bring a back" in caught.value.next_step
    assert isinstance(caught.value, HomeAway)
    with pytest.raises(HomeMissing, match="no node of this cluster any more") as caught:
        settle(seen("b"), "ada", "z")
    assert not isinstance(caught.value, HomeAway)
    assert "firstbell homes delete ada, then firstbell restore ada" in caught.value.next_step
    with pytest.raises(HomeMissing, match="has no home"):
        settle(seen(""), "ada", "")


def test_copies_are_not_taken_for_homes():
    """The hub sees one home while a move copies, and after; only where both are marked it sees two."""
    assert homes_found(seen("ab", "b")) == {"ada": {"a"}}
    assert homes_found(seen("ab", "a")) == {"ada": {"b"}}
    assert homes_found(seen("ab", "ab")) == {"ada": {"a", "b"}}


def test_homes_are_spread_over_the_other_nodes():
    """The one with the fewest takes the next; where no other can, that is said."""
    nodes = seen("a").engine.nodes
    assert choose_target(nodes, "a", {"b": 2, "c": 1}) == "c"
    with pytest.raises(HomeMissing, match="no other node"):
        choose_target(seen("a", away="bc").engine.nodes, "a", {})


@pytest.mark.parametrize("kind", ["docker", "swarm"])
def test_down_keeps_what_tells_a_home_from_its_copy(kind):
    """With the homes their markers stay; ways to a file server go, and nobody's home is said to go with them."""
    course = Course.model_validate({"name": "demo", "server": {"image": "x"}, "engine": {"kind": kind}})
    way = VolumeState("way", frozen(names.labels("demo", Role.HOME_WAY, "ada")), node="a")
    observed = replace(seen("ab", "b"), volumes=(*seen("ab", "b").volumes, way))
    if kind == "docker":
        steps = deploy.plan_down(course, observed, "hub")
    else:
        steps = swarm.plan_down(course, observed, Observed("_cluster"), "hub")
    assert [step for step in steps if isinstance(step, RemoveVolume)] == [RemoveVolume("way")]
