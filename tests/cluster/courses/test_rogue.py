"""A machine that joined with a stolen token, on the nodes' own network: it gets nothing and reaches nothing (29)."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from firstbell.model.cluster import LINK_PORT, REGISTRY_PORT, tunnel_port
from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT, SERVER_PORT
from tests.cluster.courses.people import go_home, people_on_every_node
from tests.support.cluster import Node
from tests.support.cluster.inside import connected
from tests.support.cluster.swarm import stranger
from tests.support.cluster_course import ClusterCourse
from tests.support.visitor import Visitor

GUESTS = 4
SOON = 3.0
"""Seconds without an answer after which a port counts as closed."""


async def test_a_machine_with_a_stolen_token_gets_no_task_no_secret_and_no_way_in(seminar: ClusterCourse) -> None:
    """It joins as a worker and has most memory free: nothing runs there, nothing of ours is on its disk."""
    cluster = seminar.cluster
    async with people_on_every_node(seminar) as people, AsyncExitStack() as stack:
        rogue = stack.enter_context(stranger(cluster))
        guests = [await stack.enter_async_context(Visitor(seminar.url)) for _ in range(GUESTS)]
        await asyncio.gather(*(guest.ready() for guest in guests))
        for guest in guests:
            stack.push_async_callback(go_home, guest)
            assert seminar.node_of(guest.user) in cluster.nodes
        assert rogue.docker("ps", "--all", "--quiet") == ""
        assert cluster.manager.docker("node", "ps", "--quiet", rogue.name) == ""
        assert not [file for file in (rogue.data / "swarm").rglob("*") if _mentions(file, b"firstbell")]
        listed = json.loads(seminar.cli("nodes", "list", "--json").stdout)
        assert [(node["usable"], node["number"]) for node in listed if node["name"] == rogue.name] == [(False, 0)]
        for node in cluster.nodes:
            await asyncio.to_thread(_link_refuses, rogue, node)
            server = seminar.server_of(people[node].user)
            await asyncio.to_thread(_nothing_answers, seminar, rogue, node, server["Id"])


def _mentions(file: Path, word: bytes) -> bool:
    return file.is_file() and word in file.read_bytes()


def _link_refuses(rogue: Node, node: Node) -> None:
    """Neither without a certificate, nor with the one that the Swarm gave it, a word is heard."""
    own = rogue.data / "swarm" / "certificates"
    key = rogue.folder / "stolen.key"  # OpenSSL does not read the Swarm's own lines in it
    key.write_text("".join(line for line in (own / "swarm-node.key").open() if ":" not in line and line.strip()))
    for certificate in (None, own / "swarm-node.crt"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, key)
        for protocol in ("firstbell-docker", "firstbell-server", "firstbell-hub", "firstbell-registry"):
            context.set_alpn_protocols([protocol])
            with connected(rogue, node.address, LINK_PORT) as plain, pytest.raises(OSError, match=r"alert|reset|EOF"):
                with context.wrap_socket(plain) as link:
                    link.sendall(b"GET /version HTTP/1.1\r\nHost: docker\r\n\r\n")
                    assert link.recv(100) == b"", "it answered"
                    raise ConnectionResetError("reset: closed without a word")


def _nothing_answers(course: ClusterCourse, rogue: Node, node: Node, server: str) -> None:
    """With a route to the node's bridge neither its servers nor the hub's inner port answer, nor any other of ours."""
    network = json.loads(node.docker("inspect", server))[0]["NetworkSettings"]["Networks"]
    (found,) = network.values()
    subnet = json.loads(course.cluster.manager.docker("network", "inspect", f"firstbell-{course.name}-servers-nodes"))[
        0
    ]["IPAM"]["Config"][0]["Subnet"]
    rogue.run("ip", "route", "replace", subnet, "via", node.address)
    connected(node, found["IPAddress"], SERVER_PORT).close()  # the node itself reaches both, or this shows nothing
    connected(node, found["Gateway"], HUB_PORT).close()
    inner = [(found["IPAddress"], SERVER_PORT), (found["Gateway"], HUB_PORT), (found["Gateway"], SERVER_PORT)]
    ports = (HUB_PORT, PROXY_PORT, PROXY_API_PORT, SERVER_PORT, REGISTRY_PORT, tunnel_port(subnet), 2375, 2376)
    open_ones = [way for way in [*inner, *((node.address, port) for port in ports)] if _is_open(rogue, *way)]
    assert open_ones == []


def _is_open(rogue: Node, address: str, port: int) -> bool:
    try:
        connected(rogue, address, port, timeout=SOON).close()
    except OSError:
        return False
    return True
