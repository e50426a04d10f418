"""The parts of a course on a cluster: finding their processes, killing them, freezing daemons."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator

import aiohttp

from firstbell.engine.waiting import until
from tests.support.cluster import Node
from tests.support.cluster_course import ClusterCourse, evidence

PATIENCE = 90.0
"""Seconds until a killed part runs again on a busy machine."""


def container_of(node: Node, name: str) -> str:
    """The container of that service that runs on the node; empty for none."""
    return node.docker("ps", "--quiet", "--no-trunc", "--filter", f"name=^{name}\\.")


async def kill(node: Node, service: str, number: signal.Signals = signal.SIGKILL) -> float:
    """Kill what a service runs on a node, as a crash would; seconds until the Swarm runs it there again."""
    before = container_of(node, service)
    assert before, f"{service} does not run on {node.name}"
    rows = node.docker("top", before, "-eo", "pid,args").splitlines()[1:]
    program = next(row for row in rows if "docker-init" not in row)
    node.run("kill", f"-{number}", program.split()[0])
    started = time.monotonic()

    async def anew() -> bool:
        return container_of(node, service) not in {"", before}

    await until(anew, deadline=PATIENCE, first=0.1, longest=0.3)
    return time.monotonic() - started


async def kill_hub(course: ClusterCourse, number: signal.Signals = signal.SIGKILL) -> float:
    """Kill the hub; seconds until its pages come again."""
    started = time.monotonic()
    await kill(course.cluster.manager, course.service("hub"), number)
    await until(lambda: _answers(course), deadline=PATIENCE, first=0.1, longest=0.3)
    return time.monotonic() - started


async def _answers(course: ClusterCourse) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        try:
            async with session.get(f"{course.url}/hub/health") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@contextlib.asynccontextmanager
async def frozen_daemon(node: Node) -> AsyncIterator[None]:
    """The node's Docker daemon answers nobody; its containers go on."""
    node.run("sh", "-c", "kill -STOP $(cat /run/docker.pid)")
    try:
        yield
    finally:
        node.run("sh", "-c", "kill -CONT $(cat /run/docker.pid)")
        await asyncio.to_thread(node.answers)


def strays(course: ClusterCourse) -> set[str]:
    """Services, containers and helpers of servers, on all nodes, by name."""
    listed = course.cluster.manager.docker(
        "service", "ls", "--format", "{{.Name}}", "--filter", f"label=firstbell.course={course.name}"
    )
    found = {name for name in listed.split() if "-server-" in name}
    for role in ("server", "helper"):
        found |= {each["Name"] for here in course.containers(role, everything=True).values() for each in here}
    return found


def ids(course: ClusterCourse, *users: str) -> dict[str, str]:
    """The container of each user's server."""
    return {user: course.server_of(user)["Id"] for user in users}


def routes_address(course: ClusterCourse) -> tuple[str, str]:
    """The proxy's API, on the manager's loopback device, and its token."""
    manager = course.cluster.manager
    listed = json.loads(manager.docker("network", "inspect", f"firstbell-{course.name}-servers"))
    gateway = listed[0]["IPAM"]["Config"][0]["Gateway"]
    hub = container_of(manager, course.service("hub"))
    assert hub, evidence(course)
    token = manager.docker("exec", hub, "cat", "/srv/firstbell/shared/proxy.token")
    return f"http://127.{gateway.split('.', 1)[1]}:18001/api/routes", token
