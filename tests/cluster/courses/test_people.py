"""A course on three nodes is the course of one: one command, people on all of them."""

from __future__ import annotations

import asyncio

from tests.cluster.courses.people import people_on_every_node
from tests.support.cluster_course import ClusterCourse


async def test_people_work_on_all_nodes(seminar: ClusterCourse) -> None:
    """Servers are spread over all nodes, and everybody's notebook runs and saves."""
    async with people_on_every_node(seminar) as people:
        outcomes = await asyncio.gather(*(v.execute("print(6 * 7)") for v in people.values()))
        assert [outcome.text for outcome in outcomes] == ["42\n"] * len(people)
        for node, visitor in people.items():
            assert "[exit 0]" in await visitor.sh("echo mine > ~/own.txt")
            assert seminar.node_of(visitor.user) == node
