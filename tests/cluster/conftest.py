"""What cluster tests share: one Swarm of three real Docker daemons."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, attached
from tests.support.cluster import cluster as new_cluster


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
