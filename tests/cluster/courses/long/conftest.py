"""What the long stories share beside the Swarm."""

from __future__ import annotations

import pytest

from firstbell.model import names
from firstbell.model.names import Role
from tests.support.cluster import Cluster
from tests.support.course import docker


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """An image of hubs, on every node."""
    tags = docker(
        "images", "--filter", f"label={names.LABEL_ROLE}={Role.HUB_IMAGE}", "--format", "{{.Repository}}:{{.Tag}}"
    )
    found = [tag for tag in tags.split() if "<none>" not in tag]
    if not found:
        pytest.skip("no hub image was built here yet; tests/stories builds one")
    cluster.load(found[0])
    return found[0]
