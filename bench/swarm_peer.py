"""JupyterHub + SwarmSpawner + configurable-http-proxy on a Swarm: the hub a service, users' servers services."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import peer_side
from bench.engine import wait_until
from bench.side import prefix
from tests.support.cluster import Cluster, Node

_PORT = 8000
_SUBNET = "10.88.0.0/20"


@dataclass(frozen=True, slots=True)
class SwarmPeer:
    """The peer, running on every node."""

    url: str
    nodes: Cluster
    name: str = "swarmspawner"

    def fields(self, visitor: int) -> Mapping[str, str]:
        """The dummy authenticator asks for no password."""
        return {"username": f"visitor{visitor}", "password": ""}

    def service_cpu(self) -> float:
        """Of the one container that has hub and proxy."""
        return container_cpu(self.nodes.manager, f"label=com.docker.swarm.service.name={course()}-hub")


def course() -> str:
    """Names its network, services and images, and labels them."""
    return f"firstbell-{prefix()}-swarmpeer"


def build(course_image: str) -> tuple[str, str]:
    """The images of the users and of the hub."""
    user, hub = peer_side.image(course_image), f"{course()}:latest"
    home = peer_side.programs()
    bundle = os.environ.get("SSL_CERT_FILE", "")
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as folder:
        context = Path(folder)
        shutil.copy(peer_side.PEER / "swarm.Dockerfile", context / "Dockerfile")
        shutil.copy(peer_side.PEER / "swarm_config.py", context)
        (context / "ca.crt").write_bytes(Path(bundle).read_bytes() if bundle else b"")
        shutil.copytree(home / "node_modules", context / "proxy/node_modules", symlinks=True)
        shutil.copy(peer_side.node(home), context / "proxy/node")
        peer_side.docker_build(hub, context, {"PEER_IMAGE": user}, course())
    return user, hub


@contextmanager
def running(nodes: Cluster, images: tuple[str, str]) -> Iterator[SwarmPeer]:
    """The peer on that Swarm, which has the images; ended with all it made."""
    user, hub = images
    manager = nodes.manager
    _end(manager)
    manager.docker("network", "create", "--driver", "overlay", "--subnet", _SUBNET, course())
    manager.docker(
        "service", "create", "--detach", "--no-resolve-image", "--name", f"{course()}-hub", "--network", course(),
        "--label", f"firstbell.course={course()}", "--constraint", f"node.hostname=={manager.name}", "--user", "0",
        "--endpoint-mode", "dnsrr", "--publish", f"mode=host,published={_PORT},target=8000",
        "--mount", "type=bind,source=/run/docker.sock,target=/var/run/docker.sock",
        "--env", f"BENCH_NAME={course()}", "--env", f"BENCH_IMAGE={user}", hub,
    )  # fmt: skip
    side = SwarmPeer(f"http://{manager.address}:{_PORT}", nodes)
    try:
        wait_until(lambda: _answers(side.url), f"the peer at {side.url}", deadline=120)
        yield side
    finally:
        _end(manager)


def container_cpu(node: Node, *filters: str) -> float:
    """CPU seconds that the node's containers of these filters have used since they started."""
    wanted = [word for each in filters for word in ("--filter", each)]
    client = httpx.Client(transport=httpx.HTTPTransport(uds=str(node.socket)), timeout=30)
    total = 0
    with client:
        for found in node.docker("ps", "--quiet", *wanted).split():
            stats = client.get(f"http://docker/containers/{found}/stats", params={"stream": "0", "one-shot": "1"})
            total += json.loads(stats.text)["cpu_stats"]["cpu_usage"]["total_usage"]
    return total / 1e9


def _end(manager: Node) -> None:
    mine = manager.docker("service", "ls", "--quiet", "--filter", f"label=firstbell.course={course()}").split()
    if mine:
        manager.docker("service", "rm", *mine)
    wait_until(lambda: _network_gone(manager), f"the network {course()} to be free", deadline=180)


def _network_gone(manager: Node) -> bool:
    subprocess.run(["docker", "--host", manager.host, "network", "rm", course()], check=False, capture_output=True)
    return not manager.docker("network", "ls", "--quiet", "--filter", f"name={course()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/hub/login", timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
