"""`up`, `status` and `down` of a course on three nodes, by the real command on a real Swarm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.model import names
from tests.support.cluster import Cluster, Node
from tests.support.cluster_course import ClusterCourse, running_on
from tests.support.course import FIRSTBELL
from tests.support.visitor import Visitor

NAME = "test-cluster-up"
PEOPLE = 6


@pytest.fixture(scope="module")
def course(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """A seminar on all nodes, of people who need little."""
    server = 'memory = "512M"\nidle = 0'
    with running_on(cluster, tmp_path_factory.mktemp("up"), NAME, access="capacity = 30", server=server) as made:
        made.cli("up", "--yes")
        yield made


def tables(node: Node) -> str:
    return node.run("sh", "-c", "nft list tables; ip -brief link", check=False).stdout


def left_on(node: Node) -> list[str]:
    """All of the course on a node: containers, volumes, networks."""
    mine = f"label={names.LABEL_COURSE}={NAME}"
    words = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
    return [line for verb in words for line in node.docker(*verb, "--filter", mine).splitlines()]


def test_up_again_has_nothing_to_do(course: ClusterCourse) -> None:
    """A second `up` finds everything as it should be."""
    assert json.loads(course.cli("up", "--json").stdout)["up_to_date"]


def test_every_node_runs_the_same_image(course: ClusterCourse) -> None:
    """What runs on the nodes is named by one digest of the cluster's own registry."""
    guards = [found for each in course.containers("guard").values() for found in each]
    assert len(guards) == len(course.cluster.nodes)
    assert len({guard["Config"]["Image"].partition("@")[2] for guard in guards}) == 1
    assert all(guard["Config"]["Image"].startswith("localhost:5000/firstbell/hub@sha256:") for guard in guards)


def test_no_secret_is_readable_in_what_the_swarm_shows(course: ClusterCourse) -> None:
    """Keys are Swarm secrets: neither services nor configs show them."""
    manager = course.cluster.manager
    shown = manager.docker("service", "inspect", *manager.docker("service", "ls", "-q").split())
    configs = manager.docker("config", "ls", "-q").split()
    shown += manager.docker("config", "inspect", *configs) if configs else ""
    assert "PRIVATE KEY" not in shown


async def test_people_work_while_the_course_is_changed(course: ClusterCourse) -> None:
    """People are on several nodes, and a changed title replaces the hub while their cells go on."""
    visitors = [await Visitor(course.url).__aenter__() for _ in range(PEOPLE)]
    try:
        await asyncio.gather(*(visitor.ready() for visitor in visitors))
        kernels = [await visitor.kernel() for visitor in visitors]
        for visitor, kernel in zip(visitors, kernels, strict=True):
            assert (await visitor.execute("kept = 6 * 7", kernel)).error == ""
        now = json.loads(course.cli("status", "--json").stdout)
        assert sum(node["servers"] for node in now["nodes"]) == PEOPLE
        assert sum(node["servers"] > 0 for node in now["nodes"]) > 1
        hub = course.containers("hub")[course.cluster.manager][0]["Id"]
        file = Path(course.folder, "firstbell.toml")
        file.write_text(file.read_text().replace(f'name = "{NAME}"', f'name = "{NAME}"\ntitle = "Changed"'))
        await asyncio.to_thread(course.cli, "up", "--yes")
        assert course.containers("hub")[course.cluster.manager][0]["Id"] != hub
        outcomes = await asyncio.gather(*(v.execute("print(kept)", k) for v, k in zip(visitors, kernels, strict=True)))
        assert [outcome.text for outcome in outcomes] == ["42\n"] * PEOPLE
    finally:
        for visitor in visitors:
            await visitor.__aexit__(None, None, None)


def test_a_worker_is_no_place_for_up(course: ClusterCourse) -> None:
    """On a worker `up` changes nothing, and names the manager on which to run it."""
    worker = course.cluster.workers[0]
    result = worker.run(FIRSTBELL, "up", "--yes", cwd=course.folder, check=False)
    assert result.returncode == 3
    assert "is a worker of its Swarm" in result.stderr
    assert course.cluster.manager.address in result.stderr


def test_a_subnet_too_small_is_refused_before_anything_is_made(cluster: Cluster, tmp_path: Path) -> None:
    """800 people on three nodes of a /24 are refused in words (fault 26), and nothing has been made."""
    small = ClusterCourse(tmp_path, "test-small", "", cluster)
    (tmp_path / "firstbell.toml").write_text(
        'name = "test-small"\n[access]\ncapacity = 800\n[server]\nimage = "x"\n[engine]\nkind = "swarm"\n'
        '[network]\nsubnet = "10.113.0.0/24"\n'
    )
    result = small.cli("up", "--yes", check=False)
    assert result.returncode == 5
    assert "has addresses for 253 servers on each node" in result.stderr
    mine = f"--filter=label={names.LABEL_COURSE}=test-small"
    assert not cluster.manager.docker("service", "ls", "-q", mine)


def test_down_leaves_homes_and_nothing_else(course: ClusterCourse) -> None:
    """After `down` nodes have homes, the manager also whose they are; bridges and rules are gone. Then homes go."""
    course.cli("down", "--yes")
    manager = course.cluster.manager
    for node in course.cluster.nodes:
        roles = {volume.removeprefix(f"firstbell-{NAME}-").partition("-")[0] for volume in left_on(node)}
        assert roles <= ({"home", "state", "certificates"} if node == manager else {"home"})
        assert names.bridge(NAME) not in tables(node)
        assert names.bridge(NAME).replace("-", "_") not in tables(node)
    mine = f"--filter=label={names.LABEL_COURSE}={NAME}"
    for kind in ("service", "config", "secret"):
        assert not manager.docker(kind, "ls", "-q", mine)
    course.cli("down", "--delete-homes", "--confirm", NAME)
    assert [left_on(node) for node in course.cluster.nodes] == [[], [], []]
