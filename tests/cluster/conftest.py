"""What cluster tests share: one Swarm of three real Docker daemons."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.contract.conftest import ROOT, _busybox_root
from tests.support.cluster import Cluster, attached
from tests.support.cluster import cluster as new_cluster
from tests.support.cluster_files import FileServer, shared_files
from tests.support.course import docker


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
