"""A machine that has to be serviced: nobody's work is lost when a node goes out of use."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import pytest

from firstbell.engine.waiting import until
from firstbell.model import names
from tests.cluster.courses.people import people_on_every_node, works
from tests.stories.conftest import stop_server
from tests.support.cluster import Node
from tests.support.cluster_course import ClusterCourse
from tests.support.visitor import Visitor

NEW = 3


@pytest.mark.timeout(900)
async def test_drain_waits_for_who_is_at_work_and_moves_what_they_saved(seminar: ClusterCourse) -> None:
    """Nobody new comes, the kernel goes on until its person leaves; then the home moves, and they go on elsewhere."""
    node = seminar.cluster.workers[-1]
    async with people_on_every_node(seminar) as people:
        ada = people[node]
        kernel = await ada.kernel()
        assert (await ada.execute("kept = 6 * 7; open('own.txt', 'w').write('mine')", kernel)).error == ""
        draining = asyncio.create_task(drain(seminar, node, "--wait"))
        try:
            await until(lambda: is_in_use(seminar, node, wanted=False), deadline=120)
            await nobody_new_comes(seminar, node)
            assert (await ada.execute("print(kept)", kernel)).text == "42\n"
            assert not draining.done()
            await stop_server(ada)
            told = await asyncio.wait_for(draining, 400)
            assert f"at work on {node.name}: {ada.user}" in told.stderr
            await is_empty(seminar, node)
            await works(ada)
            assert seminar.node_of(ada.user) != node
            assert (await ada.sh("cat own.txt")).startswith("mine")
        finally:
            draining.cancel()
            await asyncio.to_thread(seminar.cli, "nodes", "undrain", node.name)
        assert await is_in_use(seminar, node, wanted=True)


@pytest.mark.timeout(900)
async def test_drain_with_a_yes_ends_servers_and_keeps_what_was_saved(seminar: ClusterCourse) -> None:
    """Without a yes nothing is done to who is at work; with one their server ends, and their files are elsewhere."""
    node = seminar.cluster.workers[0]
    async with people_on_every_node(seminar) as people:
        ben = people[node]
        await ben.sh("echo mine > own.txt")
        asked = await asyncio.to_thread(seminar.cli, "nodes", "drain", node.name, "--move-homes", check=False)
        assert asked.returncode != 0
        assert "is at work on" in asked.stderr or "are at work on" in asked.stderr
        assert "--wait" in asked.stderr
        assert seminar.node_of(ben.user) == node
        try:
            await drain(seminar, node, "--yes")
            await is_empty(seminar, node)
            await works(ben)
            assert seminar.node_of(ben.user) != node
            assert (await ben.sh("cat own.txt")).startswith("mine")
        finally:
            await asyncio.to_thread(seminar.cli, "nodes", "undrain", node.name)


async def drain(course: ClusterCourse, node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    """`firstbell nodes drain` with all homes."""
    return await asyncio.to_thread(course.cli, "nodes", "drain", node.name, "--move-homes", *words)


async def listed(course: ClusterCourse, node: Node) -> dict[str, Any]:
    """The node as `firstbell nodes list` has it."""
    said = (await asyncio.to_thread(course.cli, "nodes", "list", "--json")).stdout
    return next(each for each in json.loads(said) if each["name"] == node.name)


async def is_in_use(course: ClusterCourse, node: Node, *, wanted: bool) -> bool:
    """Whether the node takes servers, or whether not."""
    return ((await listed(course, node))["availability"] == "active") is wanted


async def nobody_new_comes(course: ClusterCourse, node: Node) -> None:
    """Whoever enters now is on other nodes."""
    for _ in range(NEW):
        async with Visitor(course.url) as visitor:
            await visitor.ready()
            assert course.node_of(visitor.user) != node
            await stop_server(visitor)


async def is_empty(course: ClusterCourse, node: Node) -> None:
    """No server of the course is left there, and no home."""
    assert not course.containers("server")[node]
    homes = f"{names.PREFIX}-{course.name}-home"
    assert homes not in node.docker("volume", "ls", "--format", "{{.Name}}")
    assert (await listed(course, node))["homes"] == 0
