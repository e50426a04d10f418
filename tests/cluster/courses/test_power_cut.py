"""A node dies and returns (faults 21, 22). Homes are volumes, each on one node."""

from __future__ import annotations

import asyncio

from tests.cluster.courses.people import TOLD_WITHIN, people_on_every_node, told, works
from tests.support.cluster_course import ClusterCourse, evidence


async def test_when_a_node_dies_its_people_are_told_and_nobody_else_notices(seminar: ClusterCourse) -> None:
    """Told within 10 s on their own page, everybody else works on, and no empty home is made elsewhere."""
    async with people_on_every_node(seminar) as people:
        victim = seminar.cluster.workers[0]
        person = people[victim]
        victim.kill()
        seconds = await told(person, victim)
        for node, other in people.items():
            if node != victim:
                assert (await other.execute("print('on')")).text == "on\n", evidence(seminar)
        assert person.user not in seminar.where(), "a server without its home"
        print(f"told after {seconds:.1f} s")
        assert seconds <= TOLD_WITHIN


async def test_a_node_that_returns_gives_its_people_their_files_back(seminar: ClusterCourse) -> None:
    """After a power cut a person works on the same node again, with every file that was there."""
    victim = seminar.cluster.workers[1]
    async with people_on_every_node(seminar, victim) as people:
        person = people[victim]
        assert "[exit 0]" in await person.sh("echo precious > ~/kept.txt && sync")
        victim.kill()
        await told(person, victim)
        await asyncio.to_thread(victim.start)
        back = await works(person, deadline=90)
        assert "precious" in await person.sh("cat ~/kept.txt")
        assert seminar.where()[person.user] == [victim]
        print(f"working {back:.1f} s after the node was switched on")
