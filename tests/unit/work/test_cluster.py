"""What a Swarm asks of `up` beside what one machine does."""

from __future__ import annotations

import pytest

from firstbell.engine.fake_cluster import FakeCluster
from firstbell.errors import BuildFailed, Declined, EngineUnavailable
from firstbell.model.container import frozen
from firstbell.model.image import Progress
from firstbell.model.membership import Membership
from firstbell.model.observed import ImageState
from firstbell.model.steps import PrepareNode, SpreadImage
from firstbell.work.cluster import (
    PATIENCE,
    ensure_swarm,
    no_manager,
    pinned_name,
    pinned_names,
    prepare_node,
    refuse_no_manager,
    spread,
)

DIGEST = f"localhost:5000/firstbell/c@sha256:{'a' * 64}"
IMAGE = ImageState("firstbell/c:1", "sha256:1", labels=frozen(), digests=("quay.io/c@sha256:b", DIGEST))


@pytest.mark.parametrize(
    ("membership", "next_step"),
    [
        (Membership("inactive", name="m"), "docker swarm init --advertise-addr"),
        (Membership("active", name="m", managers=("10.0.0.9:2377",)), "Run this command on 10.0.0.9"),
        (Membership("locked", name="m"), "docker swarm unlock"),
        (Membership("error", name="m", error="no quorum"), "docker info"),
    ],
)
def test_a_machine_that_is_no_manager_is_told_what_to_type(membership: Membership, next_step: str) -> None:
    """Each way of being no manager of a working Swarm has its own next command."""
    assert next_step in no_manager(membership).next_step


async def test_a_swarm_is_begun_only_when_asked_for() -> None:
    """A machine in no Swarm begins one after a yes; after a no nothing has happened."""
    cluster = FakeCluster()
    cluster.member = Membership("inactive", name="node1")

    def no(question: str, otherwise: str) -> None:
        raise Declined(question, next_step=otherwise)

    with pytest.raises(Declined, match="node1 is in no Swarm"):
        await ensure_swarm(cluster, no, lambda _: None)
    with pytest.raises(EngineUnavailable):
        await refuse_no_manager(cluster)
    await ensure_swarm(cluster, lambda *_: None, lambda _: None)
    await refuse_no_manager(cluster)
    assert cluster.patience == PATIENCE, "a cable out for minutes ends nobody's server"


async def test_an_image_is_spread_by_its_digest_and_each_node_says_so() -> None:
    """Nodes pull the digest that the registry was given, and what they report names them."""
    cluster = FakeCluster()
    cluster.add_node("node2")
    cluster.images["firstbell/c:1"] = IMAGE
    said: list[Progress] = []
    await spread(cluster, SpreadImage("firstbell/c:1", ("node2",)), said.append)
    assert cluster.machines["node2"].images.keys() >= {DIGEST}
    assert all(line.text.startswith("node2: ") for line in said)


async def test_a_node_that_gets_no_image_is_named() -> None:
    """Spreading fails with the node's name and how to go on without it."""
    cluster = FakeCluster()
    cluster.add_node("node2")
    cluster.lose_node("node2")
    cluster.images["firstbell/c:1"] = IMAGE
    with pytest.raises(BuildFailed, match="did not reach node2") as caught:
        await spread(cluster, SpreadImage("firstbell/c:1", ("node2",)), lambda _: None)
    assert "--availability drain node2" in caught.value.next_step


async def test_a_prepared_node_has_its_number() -> None:
    """The step makes the node ready under its number."""
    cluster = FakeCluster()
    cluster.add_node("node7", number=0)
    await prepare_node(cluster, PrepareNode("node7", 7))
    assert cluster.nodes["node7"].number == 7


async def test_what_the_registry_has_lost_is_pushed_again() -> None:
    """A daemon remembers the digest of what it gave to a registry of before: that pins nothing."""
    cluster = FakeCluster()
    assert await pinned_names(cluster, {"firstbell/c:1": IMAGE}) == {"firstbell/c:1": DIGEST}
    cluster.lost.add(DIGEST)
    assert await pinned_names(cluster, {"firstbell/c:1": IMAGE}) == {}


def test_only_the_clusters_own_registry_counts() -> None:
    """A digest of another registry does not pin an image for the nodes."""
    assert pinned_name("firstbell/c:1", IMAGE) == DIGEST
    assert pinned_name("firstbell/other:1", IMAGE) == ""
