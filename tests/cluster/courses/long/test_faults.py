"""Nodes are cut off, cables slow, managers disagree (faults 22, 23, 24, 28). Homes are volumes, each on one node."""

from __future__ import annotations

import asyncio
import time

from tests.cluster.courses.people import TOLD_WITHIN, people_on_every_node, told, works
from tests.support.cluster import Node
from tests.support.cluster.node import wait
from tests.support.cluster_course import ClusterCourse, evidence
from tests.support.visitor import Visitor

CUT_SECONDS = 45.0
"""Longer than any lease, and than a Swarm's own patience (15 s) before `up` has raised it."""
RAFT = 2377
"""Managers agree with each other there."""


async def test_what_runs_on_a_node_that_is_cut_off_goes_on_and_is_there_again(seminar: ClusterCourse) -> None:
    """After a cut longer than the Swarm's patience the same kernel has the same variables, and nothing runs twice."""
    async with people_on_every_node(seminar) as people:
        victim = seminar.cluster.workers[1]
        person = people[victim]
        kernel = await person.kernel()
        await person.execute("kept = 'in memory'", kernel)
        before = seminar.server_of(person.user)["Id"]
        victim.cut()
        cut_at = time.monotonic()
        seconds = await told(person, victim)
        await asyncio.sleep(max(0.0, CUT_SECONDS - (time.monotonic() - cut_at)))  # the fault itself lasts so long
        assert seminar.server_of(person.user)["Id"] == before
        victim.heal()
        await asyncio.to_thread(seminar.cluster.wait_for, "ready", victim)
        back = await works(person)
        assert seminar.server_of(person.user)["Id"] == before, evidence(seminar)
        assert (await person.execute("print(kept)", kernel)).text == "in memory\n"
        print(f"told after {seconds:.1f} s; working {back:.1f} s after the Swarm saw the node again")


async def test_slow_and_lossy_cables_kill_nobody(seminar: ClusterCourse) -> None:
    """With 200 ms more for each round trip and 10 % loss to every worker all servers stay, and cells still run."""
    async with people_on_every_node(seminar) as people:
        before = {v.user: seminar.server_of(v.user)["Id"] for v in people.values()}
        kernels = {v: await v.kernel() for v in people.values()}
        for node in seminar.cluster.workers:
            node.slow(200, 10)
        until = time.monotonic() + CUT_SECONDS
        cells = 0
        while time.monotonic() < until:
            outcomes = await asyncio.gather(*(_cell(*each) for each in kernels.items()))
            cells += sum(outcomes)
        for node in seminar.cluster.workers:
            node.heal()
        for visitor in people.values():
            await works(visitor)
        assert {v.user: seminar.server_of(v.user)["Id"] for v in people.values()} == before, evidence(seminar)
        print(f"{cells} cells ran in {CUT_SECONDS:.0f} s over such cables")
        assert cells


async def test_without_a_majority_of_managers_servers_go_on_and_a_start_says_why_not(seminar: ClusterCourse) -> None:
    """Quorum lost: everybody's cells run, a start fails within 10 s in words, and works when the managers are back."""
    first, *others = seminar.cluster.nodes
    async with people_on_every_node(seminar) as people, Visitor(seminar.url) as late:
        first.docker("node", "promote", *(node.name for node in others))
        try:
            await asyncio.to_thread(_wait_for_managers, seminar)
            for node in others:
                node.part_from(*(other.address for other in seminar.cluster.nodes if other != node), port=RAFT)
            await asyncio.to_thread(_wait_until_no_manager, seminar)
            for visitor in people.values():
                assert (await visitor.execute("print('on')")).text == "on\n", evidence(seminar)
            await late.enter()
            started = time.monotonic()
            events = [event async for event in late.progress(await late.open("hub/spawn"))]
            seconds = time.monotonic() - started
            assert events[-1].get("failed") and "manager" in str(events[-1]).lower(), events
            for node in others:
                node.heal()
            await asyncio.to_thread(seminar.cluster.wait_for, "ready")
            back = await works(late)
            print(f"refused after {seconds:.1f} s: {events[-1]['message']}")
            print(f"started {back:.1f} s after the majority was back")
            assert seconds <= TOLD_WITHIN
        finally:
            for node in others:
                node.heal()
            await asyncio.to_thread(_wait_for_managers, seminar)
            for node in others:  # one after another: two at once leave a node of Engine 20.10 with a broken agent
                first.docker("node", "demote", node.name)
                await asyncio.to_thread(_wait_for_worker, node)


async def _cell(visitor: Visitor, kernel: str) -> bool:
    try:
        return (await visitor.execute("print('on')", kernel, deadline=30)).text == "on\n"
    except (TimeoutError, AssertionError, OSError, ConnectionError):
        return False


def _wait_for_managers(course: ClusterCourse) -> None:
    """Until all nodes are managers that agree with each other."""
    say = ("node", "ls", "--format", "{{.ManagerStatus}}")
    wait(
        lambda: (
            sorted(course.cluster.manager.docker(*say, check=False).split()) == ["Leader", "Reachable", "Reachable"]
        ),
        "three managers",
    )


def _wait_for_worker(node: Node) -> None:
    say = ("info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}")
    wait(lambda: node.docker(*say) == "active false", f"{node.name} is a worker")


def _wait_until_no_manager(course: ClusterCourse) -> None:
    wait(lambda: not course.cluster.states(), "the majority is lost")
