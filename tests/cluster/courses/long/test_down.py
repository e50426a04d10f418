"""`down` while a node is away: what it cannot reach is named, kept, and ended once the node is back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.model import names
from firstbell.model.names import Role
from tests.cluster.conftest import SMALL
from tests.cluster.courses.people import people_on_every_node
from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait
from tests.support.cluster_course import ClusterCourse, running_on

NAME = "test-cluster-down"


@pytest.fixture
def course(cluster: Cluster, tmp_path: Path) -> Iterator[ClusterCourse]:
    """A seminar that nobody else needs."""
    with running_on(cluster, tmp_path, NAME, server=SMALL) as made:
        yield made


async def test_a_node_that_is_away_is_named_and_emptied_later(course: ClusterCourse) -> None:
    """Whose home is there is said; the second `down`, when the node is back, leaves nothing on it."""
    cluster = course.cluster
    away = cluster.workers[0]
    async with people_on_every_node(course, away) as people:
        user = people[away].user
    away.kill()
    words = ("down", "--delete-homes", "--confirm", NAME)
    told = json.loads(await asyncio.to_thread(lambda: course.cli(*words, "--json").stdout))
    assert user in told["away"][away.name]
    # Who the home there belongs to is still known.
    assert [_left(node) for node in cluster.nodes if node != away] == [[names.volume(NAME, Role.STATE)], []]
    await asyncio.to_thread(away.start)
    assert any(user in line for line in _left(away))
    course.mend()
    await asyncio.to_thread(course.cli, *words)
    # Of a network that was in use at the power cut Docker keeps a record, which the next `up` uses.
    wait(lambda: _left(away) in ([], [f"{names.network(NAME)}-nodes"]), f"nothing is left on {away.name}")
    assert not any(_left(node) for node in cluster.nodes if node != away)
    assert names.bridge(NAME) not in away.run("ip", "-brief", "link").stdout


def _left(node: Node) -> list[str]:
    """All of the course on a node: containers, volumes, networks."""
    mine = f"label={names.LABEL_COURSE}={NAME}"
    kinds = (("ps", "-a", "--format={{.Names}}"), ("volume", "ls", "--quiet"), ("network", "ls", "--format={{.Name}}"))
    return [line for verb in kinds for line in node.docker(*verb, "--filter", mine).splitlines()]
