"""Coursework where every node can mount every home: no node that is away keeps anybody's work from being collected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.cluster.courses.classes import (
    ANSWERS,
    GOOD,
    NEVER_IN,
    STUDENTS,
    ClusterSchool,
    bring_back,
    class_on,
    enter,
    hand_in,
    solve,
    to,
)
from tests.cluster.courses.people import works
from tests.support.cluster import Cluster
from tests.support.cluster_course import evidence
from tests.support.cluster_files import FileServer
from tests.support.school import FOLDER


@pytest.fixture(scope="module")
def school(cluster: Cluster, files: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSchool]:
    """Its homes are in a directory that all nodes share."""
    folder, homes = tmp_path_factory.mktemp("coursework"), f'[homes]\nstore = "{files.place}"\n'
    with class_on(cluster, folder, "test-cluster-shared-work", homes) as made:
        yield made


@pytest.mark.timeout(1800)
async def test_a_class_is_served_whole_also_while_a_node_is_away(school: ClusterSchool) -> None:
    """Handed out, handed in, collected, graded and given back as on volumes; a dead node's people lack nothing."""
    async with AsyncExitStack() as stack:
        people = await enter(school, stack, *ANSWERS)
        released = await school.order("release", "ps1")
        assert released["progress"]["states"] == {"done": len(STUDENTS)}, school.told(released)
        await asyncio.gather(*(solve(person, GOOD) for person in people.values()))
        receipts = dict(zip(people, await asyncio.gather(*map(hand_in, people.values())), strict=True))
        stored = school.stored("ps1")
        assert {user: receipt for user, _, receipt in stored["handins"]} == receipts and not stored["wrong"]

        victim = school.course.cluster.workers[0]
        hit = [user for user in people if school.course.node_of(user) == victim]
        assert hit
        victim.kill()
        try:
            handed_out = await school.order("release", "hw2")
            assert handed_out["progress"]["states"] == {"done": len(STUDENTS)}, school.told(handed_out)
            collected = await school.order("collect", "ps1")
            assert collected["progress"]["ended"] == len(STUDENTS), school.told(collected)
            assert "failed" not in collected["progress"]["states"], school.told(collected)
            graded = await school.order("grade", "ps1", *to("ada", "bea"))
            assert graded["progress"]["states"] == {"done": 2}, school.told(graded)
            returned = await school.order("return", "ps1", *to("ada", "bea"))
            assert "failed" not in returned["progress"]["states"], school.told(returned)
            for user in hit:
                await works(people[user])
                assert "hw2" in await people[user].sh(f"ls ~/{FOLDER}"), evidence(school.course)
        finally:
            await asyncio.to_thread(bring_back, school, victim)
        late = (await enter(school, stack, NEVER_IN[0]))[NEVER_IN[0]]
        assert "ps1.ipynb" in await late.sh(f"ls ~/{FOLDER}/ps1")
