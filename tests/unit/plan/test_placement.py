"""On which node a server goes, and why on none."""

from __future__ import annotations

from typing import Any

from firstbell.model.container import GIB, MIB
from firstbell.model.observed import NodeState
from firstbell.plan.memory_room import MachineMemory
from firstbell.plan.placement import Candidate, NoPlace, fits_on_all, place

LIMIT = GIB


def node(name: str, free: float = 3, total: int = 4, **facts: Any) -> Candidate:
    own = {key: facts.pop(key) for key in ("servers", "coming", "has_image") if key in facts}
    usual: dict[str, Any] = {"number": 1, "linked": True, "address": "10.0.0.1", "id": name} | facts
    return Candidate(NodeState(name, **usual), MachineMemory(total * GIB, int(free * GIB), 1, GIB), **own)


def chosen(*nodes: Candidate, **how: Any) -> str:
    found = place(nodes, LIMIT, **how)
    assert isinstance(found, Candidate), found
    return found.name


def refused(*nodes: Candidate, **how: Any) -> NoPlace:
    found = place(nodes, LIMIT, **how)
    assert isinstance(found, NoPlace), found
    return found


def test_the_node_with_the_most_free_memory_is_taken():
    """Servers are spread by what is free, not by what is installed."""
    assert chosen(node("a", 2.5, 64), node("b", 3.5, 4)) == "b"


def test_starts_under_way_count_as_if_they_used_their_memory():
    """Thirty clicks in a second do not all go to the node that was emptiest a second ago."""
    assert chosen(node("a", 3.9, coming=2), node("b", 3.5)) == "b"


def test_ties_go_to_the_node_with_fewer_servers():
    """Where memory says nothing, people are spread by their number."""
    assert chosen(node("a", servers=3), node("b", servers=2), node("c", servers=4)) == "b"


def test_memory_that_is_about_the_same_says_nothing():
    """What is free changes from look to look; a node must not be left out because it had a little less each time."""
    assert chosen(node("a", 40, 64, servers=6), node("b", 39, 64, servers=3), node("c", 38.5, 64)) == "c"
    assert chosen(node("a", 40, 64, servers=6), node("c", 30, 64)) == "a"


def test_nodes_whose_memory_is_not_known_are_spread_over_by_number():
    """A node that has not said what it has is taken after those that have."""
    assert chosen(node("a", 0, 0, servers=1), node("b", 0, 0)) == "b"
    assert chosen(node("a", 2, 4, servers=1), node("b", 0, 0)) == "a"


def test_the_home_decides():
    """A server goes where its files are, however full other nodes are or are not."""
    assert chosen(node("a", 3.9), node("b", 1.5), home="b") == "b"


def test_nodes_that_cannot_be_used_are_passed_over():
    """Neither drained, nor away, nor without link, image or number."""
    away = [
        node("b", ready=False), node("c", linked=False), node("d", availability="drain"), node("e", number=0),
        node("f", has_image=False), node("g", availability="pause"),
    ]  # fmt: skip
    assert chosen(node("a", 1.5), *away) == "a"


def test_nobody_waits_for_what_will_not_come_and_everybody_for_what_will():
    """Nodes that may not take one just now are waited for; nodes that cannot are not."""
    assert place([node("a"), node("b", availability="drain")], LIMIT, may=lambda _: False) is None


def test_a_full_cluster_says_of_each_node_why():
    """The owner of a refused start reads what each node lacks."""
    no = refused(node("n1", 1.1), node("n2", availability="drain"), node("n3", ready=False))
    assert no.is_full
    assert no.words == (
        "No node has 1.0 GiB left for another server: n1 has 870 MiB left, n2 is drained, n3 does not answer."
    )


def test_a_home_whose_node_is_away_is_not_answered_with_another_node():
    """With the files on a node that is away there is no place, and that is no lack of memory."""
    no = refused(node("a"), node("b", linked=False), home="b")
    assert no.words == "The files are on b, which does not answer."
    assert not no.is_full
    assert refused(node("a"), home="z").words == "The files are on z, which is no node of this cluster any more."


def test_a_missing_image_is_named():
    """No node with the image is no lack of memory."""
    no = refused(node("a", has_image=False))
    assert "a has not got the course's image" in no.words
    assert not no.is_full


def test_what_fits_is_counted_over_all_usable_nodes():
    """A class is reckoned with the sum of what fits on each node, which is less than what fits in the sum."""
    small = [node(name, 1.9) for name in "abc"]
    assert fits_on_all([*small, node("d", ready=False)], LIMIT) == 3
    assert MIB * 512 * 3 > LIMIT  # what is left over on each does not add up to a fourth
    unknown = Candidate(small[0].node, MachineMemory(0, 0))
    assert fits_on_all([*small, unknown], LIMIT) is None
