"""The tunnel of a course: `python -m firstbell.link.tunnel --subnet CIDR`, on the hub's node.

The proxy reaches a server at a loopback address that holds the node's number and the server's place on its bridge
(`model/cluster.py`); the tunnel takes such connections and brings them there: through the node's link, or, on its own
node, straight. Which number is which node it asks the link of its own node, when it does not know.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from firstbell.link.forward import Forwarder, Way
from firstbell.link.keys import KEY_FILE, RoleKeys
from firstbell.link.links import Links
from firstbell.link.program import drop_privileges, log, raise_file_limit, run, spare_memory
from firstbell.link.reach import Reach
from firstbell.model.cluster import LINK_PORT, KeyRole, Purpose, tunnel_port, tunnel_target
from firstbell.model.pulse import NodeList
from firstbell.model.runtime import SERVER_PORT

_ASKING = 5.0
_EVERY = 15.0
"""Seconds between two looks at the list of nodes, beside those when something is not known."""
_BACKLOG = 1024


class Tunnel:
    """One course's."""

    def __init__(self, links: Links, subnet: str, server_port: int = SERVER_PORT, link: str = "127.0.0.1") -> None:
        self._links = links
        self._subnet = subnet
        self._server_port = server_port
        self._link = link
        self._nodes = NodeList(0, {})
        self._own: int | None = None
        say = functools.partial(log, "tunnel")
        self.reach = Reach(links, say)
        self.forwarder = Forwarder(links, self.way, self.learn, say, by_target=True, reach=self.reach)

    def way(self, address: str, _port: int) -> Way | None:
        """Where a connection to that loopback address goes; None if that is no node we know."""
        if not address.startswith("127."):
            return None
        number, server = tunnel_target(address, self._subnet)
        if number and number == (self._nodes.own if self._own is None else self._own):
            return Way(address=server, port=self._server_port)
        node = self._nodes.addresses.get(number)
        return Way(node, Purpose.SERVER, f"{server} {self._server_port}") if node else None

    def own_is(self, number: int) -> None:
        """Take this for the own node, whatever the link says; with 0 every node is reached through its link."""
        self._own = number

    async def learn(self) -> None:
        """Ask for the list of nodes; without an answer the last one stays."""
        try:
            found = NodeList.read(await self._links.ask(self._link, Purpose.NODES, _ASKING))
        except (OSError, TimeoutError, ValueError) as error:
            log("nodes", f"the link of this node does not tell: {error or type(error).__name__}")
            return
        if not found.addresses:
            return
        if found != self._nodes:
            log("nodes", ", ".join(f"{number}: {at}" for number, at in sorted(found.addresses.items())))
        self._nodes = found

    async def keep_learning(self) -> None:
        """For ever."""
        while True:
            await self.learn()
            await asyncio.sleep(_EVERY if self._nodes.addresses else 1.0)

    async def serve(self, sock: socket.socket) -> None:
        """Until cancelled."""
        server = await asyncio.get_running_loop().create_server(self.forwarder.protocol, sock=sock, backlog=_BACKLOG)
        log("tunnel", f"listening on port {sock.getsockname()[1]} of all loopback addresses")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.keep_learning())
                group.create_task(self.reach.run())
        finally:
            server.close()
            await self._links.close()


def listening(port: int) -> socket.socket:
    """On every address of the loopback device, and on no other device. Raises OSError."""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        sock.bind(("0.0.0.0", port))  # noqa: S104 - of that device
    except OSError:
        sock.close()
        raise
    return sock


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m firstbell.link.tunnel")
    parser.add_argument("--subnet", required=True, help="of the course's servers")
    parser.add_argument("--server-port", type=int, default=SERVER_PORT)
    parser.add_argument("--keys", type=Path, default=Path(KEY_FILE))
    parser.add_argument("--link", default="127.0.0.1", help="address of this node's link")
    parser.add_argument("--link-port", type=int, default=LINK_PORT)
    chosen = parser.parse_args(arguments)
    links = Links(RoleKeys.load(KeyRole.TUNNEL, chosen.keys), port=chosen.link_port)
    links.prepare(Purpose.SERVER, Purpose.NODES, Purpose.PING)
    raise_file_limit()
    spare_memory()
    port = tunnel_port(chosen.subnet)
    try:
        sock = listening(port)
    except OSError as error:
        sys.exit(f"port {port} of the loopback device cannot be had: {error.strerror or error}")
    drop_privileges()

    async def work() -> None:
        tunnel = Tunnel(links, chosen.subnet, chosen.server_port, chosen.link)
        await tunnel.serve(sock)

    run(work())


if __name__ == "__main__":
    main()
