"""New keys for a cluster while people work: `firstbell nodes renew-keys`."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

from firstbell.engine.connect import connect
from firstbell.engine.swarm_keys import read_keys
from firstbell.link.frames import Kind, frame
from firstbell.model.cluster import LINK_PORT, KeyRole, Purpose
from tests.cluster.courses.people import people_on_every_node, works
from tests.support.cluster import Node
from tests.support.cluster.node import wait
from tests.support.cluster_course import ClusterCourse, evidence


async def test_new_keys_end_nobody_and_the_old_open_nothing(seminar: ClusterCourse, tmp_path: Path) -> None:
    """Kernels go on through it, what somebody has copied of the old keys is worth nothing, and a node that was away
    has the new ones when it is back.
    """
    cluster = seminar.cluster
    stolen = await _keys(cluster.manager, tmp_path / "stolen.pem")
    async with people_on_every_node(seminar) as people:
        kernels = {node: await visitor.kernel() for node, visitor in people.items()}
        for node, visitor in people.items():
            assert (await visitor.execute("kept = 6 * 7", kernels[node])).error == ""
            assert _opens(node, stolen), "with these keys a node is entered, or this shows nothing"
        away = cluster.workers[1]
        away.cut()
        wait(lambda: not _usable(seminar, away), f"{away.name} is away")
        told = json.loads(await asyncio.to_thread(lambda: seminar.cli("nodes", "renew-keys", "--yes", "--json").stdout))
        assert told["silent"] == [away.name]
        away.heal()
        wait(lambda: _usable(seminar, away), f"{away.name} has the new keys")
        await asyncio.to_thread(seminar.cli, "up", "--yes")
        for node, visitor in people.items():
            assert not _opens(node, stolen), f"{node.name} knows the old keys still"
            await works(visitor)
            assert (await visitor.execute("print(kept)", kernels[node])).text == "42\n", evidence(seminar)
        fresh = await _keys(cluster.manager, tmp_path / "fresh.pem")
        assert all(_opens(node, fresh) for node in cluster.nodes)


async def _keys(manager: Node, path: Path) -> Path:
    """A copy of the hub's keys, as the manager keeps them."""
    engine = await connect("docker", manager.host)
    try:
        keys = await read_keys(engine)
    finally:
        await engine.close()
    assert keys is not None
    path.write_bytes(keys.of(KeyRole.HUB).bundle)
    return path


def _opens(node: Node, keys: Path) -> bool:
    """Whether the node's daemon answers to whoever has these keys."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(keys)
    context.set_alpn_protocols([Purpose.DOCKER.value])
    try:
        with (
            socket.create_connection((node.address, LINK_PORT), timeout=10) as plain,
            context.wrap_socket(plain) as link,
        ):
            link.sendall(frame(Kind.OPEN) + frame(Kind.DATA, b"GET /version HTTP/1.1\r\nHost: docker\r\n\r\n"))
            return b"HTTP/1.1 200" in link.recv(100)
    except OSError:
        return False


def _usable(course: ClusterCourse, node: Node) -> bool:
    listed = course.cli("nodes", "list", "--json", check=False)
    found = json.loads(listed.stdout) if listed.returncode == 0 else []
    return any(entry["name"] == node.name and entry["usable"] for entry in found)
