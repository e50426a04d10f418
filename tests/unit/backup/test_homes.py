"""Which homes a run of backups finds on a cluster, and on which node each is."""

from __future__ import annotations

import pytest

from firstbell.backup.homes import Homes, Known
from firstbell.engine.fake_cluster import FakeCluster
from firstbell.errors import HomeAway, HomeMissing
from firstbell.model import names
from firstbell.model.backup import Kind, Subject
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.plan.home import home_volume

COURSE = Course.model_validate({"name": "stats", "server": {"image": "i"}, "engine": {"kind": "swarm"}})
WHERE = {"ada": "node1", "bob": "node2", "eve": "node3", "dan": "node3"}
STATE = Subject(Kind.STATE)


@pytest.fixture
async def cluster() -> FakeCluster:
    """Three nodes with homes, the hub on the first."""
    made = FakeCluster()
    for name in ("node2", "node3"):
        made.add_node(name)
    for user, node in WHERE.items():
        await made.ensure_volume(home_volume(COURSE, user, node))
    labels = frozen(names.labels("stats", Role.STATE))
    await made.ensure_volume(VolumeSpec(names.volume("stats", Role.STATE), labels, node="node1"))
    return made


def homes_of(cluster: FakeCluster) -> Homes:
    async def known() -> Known:
        return Known(nodes=WHERE)

    return Homes(COURSE, cluster, "i", known)


async def test_every_home_is_had_by_the_daemon_of_its_node(cluster: FakeCluster) -> None:
    """With that node's name; the hub's own volumes are where its state is."""
    homes = homes_of(cluster)
    assert [one.user for one in await homes.subjects()] == sorted(WHERE)
    for user, node in WHERE.items():
        place = await homes.place_of(Subject(Kind.HOME, user))
        assert place.node == node and place.engine is await cluster.on(node)
    assert (await homes.place_of(STATE)).node == "node1"


async def test_homes_of_a_node_that_is_away_are_missed_not_forgotten(cluster: FakeCluster) -> None:
    """They are still to be backed up; one whose node is gone for good is told apart, with the commands that help."""
    homes = homes_of(cluster)
    cluster.lose_node("node3")
    assert [one.user for one in await homes.subjects()] == sorted(WHERE)
    with pytest.raises(HomeAway, match="on node3, which does not answer now"):
        await homes.place_of(Subject(Kind.HOME, "eve"))
    del cluster.nodes["node3"]
    with pytest.raises(HomeMissing, match="no node of this cluster any more") as caught:
        await homes.place_of(Subject(Kind.HOME, "eve"))
    assert "firstbell restore eve" in caught.value.next_step


async def test_a_home_made_for_a_restore_goes_where_the_fewest_are(cluster: FakeCluster) -> None:
    """Not always onto the manager."""
    await cluster.ensure_volume(home_volume(COURSE, "cem", "node1"))
    await homes_of(cluster).make("zoe", (1000, 1000))
    volumes = {volume.user: volume.node for volume in (await cluster.observe("stats")).volumes if volume.user}
    assert volumes["zoe"] == "node2"
