"""Tasks that a node refuses or that wait for one: neither running nor dead, and their person reads why (fault 25)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

from tests.cluster.courses.parts import container_of, strays
from tests.cluster.courses.people import go_home, people_on_every_node, works
from tests.support.cluster import Node
from tests.support.cluster.node import wait
from tests.support.cluster_course import ClusterCourse, evidence
from tests.support.visitor import Visitor


async def test_a_start_that_no_node_takes_fails_with_the_reason_and_nothing_is_left(seminar: ClusterCourse) -> None:
    """The node of a home is paused, then it lacks the image: the page says so each time; then the home is there."""
    node = seminar.cluster.workers[0]
    before = strays(seminar)
    async with people_on_every_node(seminar, node) as people:
        person = people[node]
        assert "[exit 0]" in await person.sh("echo precious > ~/kept.txt && sync")
        image = seminar.server_of(person.user)["Config"]["Image"]
        for visitor in people.values():
            await go_home(visitor)
        await asyncio.to_thread(wait, lambda: strays(seminar) <= before, "everybody has gone home")
        with paused(node, seminar):
            said = await refused(person)
            assert f"{node.name} is paused" in said
        with without_image(node, image, seminar):
            said = await refused(person)
            assert "image" in said and f"is not on {node.name}" in said
        assert strays(seminar) <= before, evidence(seminar)
        seminar.cli("up", "--yes")
        await works(person)
        assert "precious" in await person.sh("cat ~/kept.txt")


async def refused(person: Visitor) -> str:
    """What the page says of a start that fails."""
    started = time.monotonic()
    events = [event async for event in person.progress(await person.open("hub/spawn"))]
    assert events[-1].get("failed"), events
    print(f"refused after {time.monotonic() - started:.1f} s: {events[-1]['message']}")
    return str(events[-1]["message"])


@contextlib.contextmanager
def paused(node: Node, course: ClusterCourse) -> Iterator[None]:
    """The node takes no new tasks."""
    manager = course.cluster.manager
    manager.docker("node", "update", "--availability", "pause", node.name)
    try:
        yield
    finally:
        manager.docker("node", "update", "--availability", "active", node.name)


@contextlib.contextmanager
def without_image(node: Node, image: str, course: ClusterCourse) -> Iterator[None]:
    """The node has lost the image, and there is no registry to bring it."""
    manager = course.cluster.manager
    manager.docker("service", "scale", "--detach", "firstbell_registry=0")
    try:
        wait(lambda: not container_of(manager, "firstbell_registry"), "the registry has ended")
        node.docker("image", "rm", "--force", node.docker("image", "inspect", "--format", "{{.Id}}", image))
        yield
    finally:
        manager.docker("service", "scale", "firstbell_registry=1")
