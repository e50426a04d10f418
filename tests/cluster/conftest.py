"""What cluster tests share: one Swarm of three real Docker daemons."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import ROOT, _busybox_root
from tests.support.cluster import Cluster, attached
from tests.support.cluster import cluster as new_cluster
from tests.support.cluster_course import ClusterCourse, running_on
from tests.support.cluster_files import FileServer, shared_files
from tests.support.course import docker

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Courses come last: a cluster that has had one keeps its links, and its patience with silent nodes."""

    def has_course(item: pytest.Item) -> bool:
        return item.path.is_relative_to(HERE / "courses")

    places = [number for number, item in enumerate(items) if item.path.is_relative_to(HERE)]
    for number, item in zip(places, sorted((items[n] for n in places), key=has_course), strict=True):
        items[number] = item


SMALL = 'memory = "512M"\npids = 200\nidle = 0'


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes; a test that breaks something mends it. FIRSTBELL_CLUSTER=dev: one that `swarm up` has made."""
    if name := os.environ.get("FIRSTBELL_CLUSTER"):
        yield attached(name)
    else:
        with new_cluster() as made:
            yield made


@pytest.fixture
def mended(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, and whatever the test does to its nodes is mended after it."""
    yield cluster
    cluster.mend()


@pytest.fixture(scope="session")
def files(cluster: Cluster) -> Iterator[FileServer]:
    """A directory that all nodes share, at /mnt/homes."""
    with shared_files(cluster) as made:
        yield made


@pytest.fixture(scope="session")
def busybox(cluster: Cluster) -> str:
    """A small image that every node has."""
    if not docker("images", "-q", ROOT):
        subprocess.run(["docker", "import", "-", ROOT], input=_busybox_root(), check=True, capture_output=True)
    cluster.load(ROOT)
    return ROOT


@pytest.fixture(scope="session")
def seminar(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """A seminar whose homes are volumes, each on one node."""
    with running_on(cluster, tmp_path_factory.mktemp("seminar"), "test-cluster", server=SMALL) as course:
        yield course


@pytest.fixture(scope="session")
def shared(cluster: Cluster, files: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """A seminar whose homes are in the directory that all nodes share."""
    folder = tmp_path_factory.mktemp("shared")
    homes = f'[homes]\nstore = "{files.place}"\n'
    with running_on(cluster, folder, "test-cluster-shared", server=SMALL, rest=homes) as course:
        yield course
