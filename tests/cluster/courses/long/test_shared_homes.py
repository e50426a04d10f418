"""Homes that every node can mount: people of a lost node go on elsewhere, and no home has two writers."""

from __future__ import annotations

import asyncio
import time

import pytest

from firstbell.engine.waiting import until
from tests.cluster.courses.people import people_on_every_node, told, works
from tests.support.cluster_course import ClusterCourse, evidence
from tests.support.cluster_files import FileServer
from tests.support.visitor import Visitor

WORKING_WITHIN = 60.0
"""Seconds from a node's death to its people's next cell."""
PAGE_WITHIN = 10.0
"""Seconds in which the hub's page must come at any time."""
_WRITER = """
import subprocess
subprocess.Popen(["sh", "-c", "while :; do date +%s.%N >> ~/writes-$0; sleep 0.1; done", "{name}"])
"""


async def test_a_home_never_has_two_writers_when_its_node_is_cut_off(shared: ClusterCourse, files: FileServer) -> None:
    """The cut node still reaches the files, and its server writes; it has ended before another begins."""
    async with people_on_every_node(shared) as people:
        victim = shared.cluster.workers[1]
        person = people[victim]
        await _write(person, "old")
        victim.part_from(*(node.address for node in shared.cluster.nodes if node != victim))
        await told(person, victim)
        again = await works(person)
        await _write(person, "new")
        (home,) = files.directory.glob("**/writes-old")
        await asyncio.to_thread(shared.cluster.mend)
        last_old = max(float(word) for word in home.read_text().split())
        first_new = min(float(word) for word in (home.parent / "writes-new").read_text().split())
        print(f"working again after {again:.1f} s; the old one's last write is {first_new - last_old:.1f} s before")
        assert last_old < first_new
        assert len(shared.where()[person.user]) == 1, evidence(shared)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seconds", [0, 600], ids=["a moment", "ten minutes"])
async def test_a_file_server_that_ends_takes_no_hub_and_no_file_with_it(
    shared: ClusterCourse, files: FileServer, seconds: int
) -> None:
    """While it is away the hub answers; when it is back everybody writes on, and has what they wrote (fault 30)."""
    async with people_on_every_node(shared) as people:
        hashes = {}
        for node, visitor in people.items():
            assert "[exit 0]" in await visitor.sh(
                "echo before > ~/before.txt && head -c 8M /dev/urandom > ~/big && sync"
            )
            hashes[node] = await visitor.sh("sha256sum ~/big")
        files.stop()
        try:
            answered = await _pages(shared, seconds)
        finally:
            files.start()
        back = await asyncio.gather(*(works(visitor) for visitor in people.values()))
        await asyncio.gather(*(_writes_on(visitor) for visitor in people.values()))
        assert {node: await visitor.sh("sha256sum ~/big") for node, visitor in people.items()} == hashes
        pages = f"{len(answered)} pages of the hub in {seconds} s, the slowest {max(answered):.1f} s"
        print(f"without the file server {pages}; all work again after {max(back):.1f} s")


async def _pages(shared: ClusterCourse, seconds: int) -> list[float]:
    """How long the hub's page took, each second that long; once at least."""
    began = time.monotonic()
    answered: list[float] = []
    while not answered or time.monotonic() - began < seconds:
        asked = time.monotonic()
        async with Visitor(shared.url) as anybody, asyncio.timeout(PAGE_WITHIN):
            page = await anybody.open()
        assert page.status == 200
        answered.append(time.monotonic() - asked)
        await asyncio.sleep(1)  # as often as it is asked, not a wait for something
    return answered


async def test_people_of_a_dead_node_work_elsewhere_within_a_minute(shared: ClusterCourse) -> None:
    """A worker is killed: its person runs a cell on another node with every file there, and it returns without harm."""
    async with people_on_every_node(shared) as people:
        victim = shared.cluster.workers[0]
        person = people[victim]
        assert "[exit 0]" in await person.sh("echo precious > ~/kept.txt && sync")
        started = time.monotonic()
        victim.kill()
        seconds = await told(person, victim)
        await works(person)
        again = time.monotonic() - started
        assert "precious" in await person.sh("cat ~/kept.txt")
        (place,) = shared.where()[person.user]
        assert place != victim
        await asyncio.to_thread(shared.cluster.mend)
        assert shared.where()[person.user] == [place], evidence(shared)
        print(f"told after {seconds:.1f} s, working on {place.name} {again:.1f} s after the power cut")
        assert again <= WORKING_WITHIN


async def _writes_on(visitor: Visitor) -> None:
    """What was written is there, and more can be; each node's mount comes back some seconds after its file server."""

    async def does() -> bool:
        said = await visitor.sh("cat ~/before.txt && echo after > ~/after.txt")
        return "before" in said and "[exit 0]" in said

    await until(does, deadline=60, first=0.2)


async def _write(visitor: Visitor, name: str) -> None:
    await visitor.execute(_WRITER.format(name=name))
    assert "[exit 0]" in await visitor.sh(f"until [ -s ~/writes-{name} ]; do sleep 0.1; done")
