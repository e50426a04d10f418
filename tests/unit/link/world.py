"""A node in this process: its link on a real socket with real TLS, a daemon that is a few canned answers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstbell.engine.waiting import until
from firstbell.link import authority, tls
from firstbell.link.daemon import Daemon
from firstbell.link.door import Door
from firstbell.link.keys import ClusterKeys
from firstbell.link.links import Links
from firstbell.link.node import NodeLink
from firstbell.link.tunnel import Tunnel
from firstbell.model.cluster import KeyRole, Purpose, tunnel_address
from firstbell.model.names import LABEL_COURSE, LABEL_HUB_NODE, NODE_NUMBER, NODE_READY

SUBNET = "127.9.0.0/20"
"""Of loopback, so that a server of this process can have an address of it."""
GATEWAY = "127.9.0.1"
SERVER = "127.9.0.7"
SERVER_PORT = 18888
NODE = 2
DEADLINE = 30.0

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@functools.cache
def keys() -> ClusterKeys:
    return authority.make(datetime.now(UTC))


@dataclass
class FakeDaemon:
    """Answers what a link asks; `away` answers nothing."""

    path: str
    hub_node: str = "10.0.0.9"
    address: str = "127.0.0.1"
    away: bool = False
    nodes: dict[str, str] = field(default_factory=lambda: {str(NODE): "127.0.0.1"})
    listeners: set[asyncio.StreamWriter] = field(default_factory=set)

    def answer(self, path: str) -> Any:
        match path.partition("?")[0]:
            case "/info":
                return {"Swarm": {"NodeAddr": self.address}}
            case "/networks":
                labels = {LABEL_COURSE: "physics", LABEL_HUB_NODE: self.hub_node}
                plan = {"Subnet": SUBNET, "Gateway": GATEWAY}
                return [{"Labels": labels, "IPAM": {"Config": [plan]}}, {"Labels": None, "IPAM": {"Config": None}}]
            case "/nodes":
                return [
                    {"Spec": {"Labels": {NODE_READY: "true", NODE_NUMBER: n}}, "Status": {"Addr": a}}
                    for n, a in self.nodes.items()
                ]
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        if self.away:
            writer.close()
            return
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        if path.startswith("/events"):
            self.listeners.add(writer)
            return
        writer.write(json.dumps(self.answer(path)).encode())
        writer.close()

    def happened(self) -> None:
        """A network has changed."""
        for writer in self.listeners:
            writer.write(b"{}\n")

    def end(self) -> None:
        """It has gone."""
        self.away = True
        for writer in self.listeners:
            writer.close()
        self.listeners.clear()


@dataclass
class World:
    daemon: FakeDaemon
    node: NodeLink
    door: Door
    port: int
    said: list[str]
    tunnel: Tunnel
    tunnel_port: int

    def links(self, role: KeyRole = KeyRole.HUB) -> Links:
        return Links(keys().of(role), port=self.port)

    async def knock(self, node: int = NODE, server: str = SERVER) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a server, through the tunnel."""
        return await asyncio.open_connection(tunnel_address(node, server, SUBNET), self.tunnel_port)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until it is so."""

    async def look() -> bool:
        return true()

    await becomes(look)


async def becomes(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until that says so."""
    await until(true, deadline=DEADLINE)


@contextlib.asynccontextmanager
async def server(handle: Handle, address: str = SERVER, port: int = SERVER_PORT) -> AsyncIterator[asyncio.Server]:
    """A server on the node's bridge."""
    made = await asyncio.start_server(handle, address, port, backlog=1024)
    try:
        yield made
    finally:
        made.close()


@contextlib.asynccontextmanager
async def world(**daemon: Any) -> AsyncIterator[World]:
    """One node and a tunnel."""
    with tempfile.TemporaryDirectory() as folder:
        fake = FakeDaemon(str(Path(folder) / "docker.sock"), **daemon)
        docker = await asyncio.start_unix_server(fake.serve, fake.path)
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        port: int = sock.getsockname()[1]
        said: list[str] = []
        node = NodeLink(Daemon(fake.path), Links(keys().of(KeyRole.NODE), port=port), registry="127.0.0.1")
        door = Door(tls.server_context(keys().of(KeyRole.NODE)), node.opened, said.append)
        tunnel = Tunnel(Links(keys().of(KeyRole.TUNNEL), port=port), SUBNET, SERVER_PORT)
        local = socket.create_server(("0.0.0.0", 0), backlog=1024)
        tasks = [
            asyncio.ensure_future(work)
            for work in (node.watch(), node.keep_listening(), door.serve(sock), tunnel.serve(local))
        ]
        try:
            await eventually(lambda: bool(node.own))
            # No number here is the tunnel's own node, so that all goes through the link.
            await tunnel.learn()
            tunnel.own_is(0)
            yield World(fake, node, door, port, said, tunnel, local.getsockname()[1])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await node.close()
            docker.close()


async def ask(links: Links, purpose: Purpose, target: str = "") -> bytes:
    """What a stream says until its end."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Listen(asyncio.Protocol):
        def __init__(self) -> None:
            self.heard = b""

        def data_received(self, data: bytes) -> None:
            self.heard += data

        def eof_received(self) -> bool:
            answer.set_result(self.heard)
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            if not answer.done():
                answer.set_exception(exc or ConnectionResetError())

    async with asyncio.timeout(DEADLINE):
        await links.open("127.0.0.1", purpose, target, Listen())
        return await answer
