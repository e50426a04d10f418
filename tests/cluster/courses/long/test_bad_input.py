"""What is in a course's way on a real Swarm is named with what helps, and disturbs no other course."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.cluster import LINK_PORT
from tests.cluster.courses.people import MOST
from tests.stories.conftest import stop_server
from tests.support.cluster import Cluster
from tests.support.cluster.node import wait
from tests.support.cluster_course import ClusterCourse
from tests.support.cluster_images import give_images
from tests.support.course import write_course
from tests.support.listening import free_port
from tests.support.visitor import Visitor

NAME = "test-second"


@pytest.fixture(scope="module")
def second(seminar: ClusterCourse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """The folder of another course for the Swarm on which the seminar is up already."""
    cluster, folder = seminar.cluster, tmp_path_factory.mktemp("second")
    url = f"http://{cluster.manager.address}:{free_port()}"
    server = 'memory = "512M"\nidle = 0'
    write_course(folder, NAME, top=f'url = "{url}"', server=server, rest='[engine]\nkind = "swarm"')
    give_images(folder, cluster.manager)
    course = ClusterCourse(folder, NAME, url, cluster)
    yield course
    course.cli("down", "--delete-homes", "--confirm", NAME, check=False)


@contextmanager
def strangers(cluster: Cluster, kind: str, name: str, *words: str) -> Iterator[str]:
    """A service or network that somebody else has made; it is there unchanged at the end."""
    identity = cluster.manager.docker(kind, "create", *words)
    try:
        yield name
        assert cluster.manager.docker(kind, "inspect", "--format", "{{.ID}}", name) == identity
    finally:
        cluster.manager.docker(kind, "rm", name)
        wait(lambda: name not in cluster.manager.docker(kind, "ls", "--format", "{{.Name}}").split(), f"{name} is gone")


def refused(course: ClusterCourse, *said: str) -> None:
    """`up` fails, and says all that with a next step."""
    result = course.cli("up", "--yes", check=False)
    assert result.returncode != 0
    told = " ".join(result.stderr.split())
    assert all(words in told for words in (*said, "next:")), told


@pytest.mark.timeout(900)
def test_what_is_in_the_way_is_named(seminar: ClusterCourse, second: ClusterCourse, busybox: str) -> None:
    """A port of another course, a stranger's network, a stranger's service: each is named, and stays as it is."""
    cluster, file = second.cluster, second.folder / "firstbell.toml"
    right = file.read_text()
    port = seminar.url.rpartition(":")[2]
    file.write_text(right.replace(second.url, seminar.url))
    refused(second, f"port {port} is not free", "ss -ltnp", "another port in url")
    file.write_text(right)
    network, edge = names.network(NAME), second.service("edge")
    overlay = ("--driver", "overlay", "--subnet", "10.201.0.0/24", network)
    with strangers(cluster, "network", network, *overlay):
        refused(second, f"a network named {network} exists", f"docker network rm {network}")
    service = ("--detach", "--quiet", "--name", edge, busybox, "sleep", "100000")
    with strangers(cluster, "service", edge, *service):
        refused(second, f"a service named {edge} exists", f"docker service rm {edge}")
    assert json.loads(seminar.cli("up", "--json").stdout)["up_to_date"]


@pytest.mark.timeout(900)
async def test_two_courses_share_a_swarm(seminar: ClusterCourse, second: ClusterCourse) -> None:
    """The second comes up where it was refused before, has its own people and networks, and goes without the first."""
    async with Visitor(seminar.url) as ada, Visitor(second.url) as ben:
        await ada.ready()
        kernel = await ada.kernel()
        await ada.execute("kept = 6 * 7", kernel)
        await asyncio.to_thread(second.cli, "up", "--yes")
        await ben.ready()
        assert (await ben.execute("print('here')")).text == "here\n"
        assert ben.user in second.where() and len(second.where()) == 1
        assert ada.user in seminar.where()
        subnets = [
            each["IPAM"]["Config"][0]["Subnet"]
            for course in (seminar, second)
            for each in json.loads(
                second.cluster.manager.docker("network", "inspect", f"{names.network(course.name)}-nodes")
            )
        ]
        assert len(set(subnets)) == 2
        await a_worker_without_the_image(second)
        await stop_server(ben)
        await asyncio.to_thread(second.cli, "down", "--yes")
        assert (await ada.execute("print(kept)", kernel)).text == "42\n"
        async with Visitor(seminar.url) as new:
            await new.ready()
            await stop_server(new)
        await stop_server(ada)


async def a_worker_without_the_image(course: ClusterCourse) -> None:
    """It is named with what brings it; people come in meanwhile, and nobody waits for it; then it is there again."""
    worker = course.cluster.workers[0]
    mine = f"localhost:5000/firstbell/{NAME}"
    [image] = worker.docker("images", "--quiet", "--no-trunc", mine).split()
    worker.docker("rmi", "--force", image)
    said = (await asyncio.to_thread(course.cli, "nodes", "list")).stdout
    assert f"{worker.name} lacks images: firstbell nodes prepare {worker.name}" in said
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(course.url)) for _ in range(MOST // 3)]
        await asyncio.gather(*(visitor.ready() for visitor in visitors))
        for visitor in visitors:
            await stop_server(visitor)
    await asyncio.to_thread(course.cli, "nodes", "prepare", worker.name)
    assert worker.docker("images", "--quiet", "--no-trunc", mine) == image


@pytest.mark.timeout(300)
async def test_a_closed_port_between_nodes_is_named(seminar: ClusterCourse, mended: Cluster) -> None:
    """A firewall that closes the links' port is what the doctor tells, with the port, the node, and what to try."""
    worker = mended.workers[-1]
    worker.part_from(mended.manager.address, port=LINK_PORT)
    said = await asyncio.to_thread(seminar.cli, "doctor", check=False)
    told = " ".join((said.stdout + said.stderr).split())
    assert said.returncode != 0
    assert worker.name in told and "its link does not answer" in told
    assert f"Open TCP {LINK_PORT} between all nodes" in told
    worker.heal()

    async def is_well() -> bool:
        listed = json.loads((await asyncio.to_thread(seminar.cli, "nodes", "list", "--json")).stdout)
        return all(node["usable"] for node in listed)

    await until(is_well, deadline=120)
