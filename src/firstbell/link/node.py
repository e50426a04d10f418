"""The link of a node: `python -m firstbell.link.node --registry ADDRESS`, on every prepared node of a cluster.

Other nodes reach through it this node's daemon, its servers, its hubs and its registry (`model/cluster.py`, Purpose);
this node's servers and daemon reach through it the hubs and the registry of other nodes, at their usual addresses.
It knows what its daemon knows, nothing else, and goes on with what it knew while the daemon or the managers are away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from firstbell.link import courses, tls
from firstbell.link.carrier import Stream
from firstbell.link.courses import Course, Forward
from firstbell.link.daemon import Daemon, DaemonAway
from firstbell.link.door import Door
from firstbell.link.forward import Forwarder, Way
from firstbell.link.keys import KEY_FILE, RoleKeys
from firstbell.link.links import CONNECT, Links
from firstbell.link.pipe import End, join, steady
from firstbell.link.program import drop_privileges, log, raise_file_limit, run, spare_memory
from firstbell.model.cluster import LINK_PORT, KeyRole, Purpose
from firstbell.model.proc import parse_meminfo, parse_pressure
from firstbell.model.pulse import NodeList, NodePulse
from firstbell.model.runtime import SOCKET

_RETRY = 3.0
"""Seconds between two tries to hear from the daemon, or to listen where something else does."""
_NODES_KEPT = 1.0
_CHANGES = ("create", "destroy", "remove")
"""Of networks; every start of a container is an event of its network, too, and changes nothing here."""
NO_HUB = b"HTTP/1.1 503 No Hub\r\nX-Firstbell-Hub: away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What servers hear for a hub that does not listen on its node: it is not there, which is more than that it is silent
(singleuser/lease.py)."""
_IP_FREEBIND = 15
"""Linux's ip(7): listen at an address that this machine does not have yet; a gateway comes with its bridge."""


class NodeLink:
    """One node's."""

    def __init__(self, daemon: Daemon, links: Links, registry: str, own: str = "") -> None:
        self._daemon = daemon
        self._links = links
        self._registry = registry
        self.own = own
        """The address at which other nodes know this one."""
        self._number = 0
        self._courses: tuple[Course, ...] = ()
        self._nodes: dict[int, str] = {}
        self._nodes_at = -_NODES_KEPT
        self._engine_answers = False
        self._listeners: dict[Forward, asyncio.Server] = {}
        self._ways: dict[tuple[str, int], Way] = {}
        self._forwarder = Forwarder(
            links, lambda address, port: self._ways.get((address, port)), _nothing, functools.partial(log, "forward")
        )
        self._tasks: set[asyncio.Task[None]] = set()

    # what others ask

    def opened(self, stream: Stream, purpose: Purpose, target: str) -> None:
        """Somebody who may asks for something."""
        task = asyncio.get_running_loop().create_task(self._serve(stream, purpose, target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Stream, purpose: Purpose, target: str) -> None:
        match purpose:
            case Purpose.PING:
                _answer(stream, pulse(self._engine_answers).line())
            case Purpose.NODES:
                _answer(stream, (await self._node_list()).line())
            case _:
                await self._pipe(stream, purpose, target)

    async def _pipe(self, stream: Stream, purpose: Purpose, target: str) -> None:
        loop = asyncio.get_running_loop()
        far = End()
        try:
            async with asyncio.timeout(CONNECT):
                if purpose is Purpose.DOCKER:
                    await loop.create_unix_connection(lambda: far, self._daemon.path)
                else:
                    there = courses.target(purpose, target, self._courses, self.own, self._registry)
                    if there is None:
                        log("refused", f"{purpose.value} {target!r} is not on this node")
                        stream.fail("not on this node")
                        return
                    transport, _ = await loop.create_connection(lambda: far, *there)
                    steady(transport)
        except ConnectionRefusedError as error:
            if purpose is Purpose.HUB:
                _answer(stream, NO_HUB)
            else:
                stream.fail(error.strerror or "refused")
            return
        except (OSError, TimeoutError) as error:
            stream.fail(getattr(error, "strerror", None) or str(error) or "no answer")
            return
        near = End()
        stream.begin(near)
        join(near, far)

    async def _node_list(self) -> NodeList:
        """What a manager knows; where this is none, or the managers are away, what it knew last."""
        now = asyncio.get_running_loop().time()
        if now - self._nodes_at >= _NODES_KEPT:
            with contextlib.suppress(DaemonAway, KeyError, TypeError, AttributeError):
                self._nodes = courses.addresses(await self._daemon.get("/nodes"))
                self._nodes_at = now
        own = next((number for number, address in self._nodes.items() if address == self.own), 0)
        return NodeList(own, self._nodes)

    # what it learns

    async def watch(self) -> None:
        """Follow the daemon's networks, for ever."""
        while True:
            try:
                async for _ in self._daemon.events("network", *_CHANGES):
                    await self._learn()
                    self._engine_answers = True
            except DaemonAway as error:
                if self._engine_answers or not self.own:
                    log("daemon", str(error))
            self._engine_answers = False
            await asyncio.sleep(_RETRY)

    async def _learn(self) -> None:
        info = await self._daemon.get("/info")
        self.own = str((info.get("Swarm") or {}).get("NodeAddr") or "") or self.own
        known = courses.courses(await self._daemon.get("/networks"))
        if known != self._courses:
            log("courses", ", ".join(f"{course.name} (hub on {course.hub_node})" for course in known) or "none")
        self._courses = known
        await self._listen()

    async def _listen(self) -> None:
        wanted = courses.forwards(self._courses, self.own, self._registry) if self.own else frozenset()
        for forward in set(self._listeners) - wanted:
            self._listeners.pop(forward).close()
        self._ways = {
            (forward.address, forward.port): Way(forward.node, forward.purpose, forward.target) for forward in wanted
        }
        for forward in wanted - set(self._listeners):
            try:
                sock = _bound(forward.address, forward.port)
                self._listeners[forward] = await asyncio.get_running_loop().create_server(
                    self._forwarder.protocol, sock=sock, backlog=512
                )
                log("listening", f"{forward.address}:{forward.port} for {forward.purpose.value} of {forward.node}")
            except OSError as error:
                log("listening", f"{forward.address}:{forward.port}: {error.strerror or error}; trying again")

    async def keep_listening(self) -> None:
        """Try again where something else listened, for ever."""
        while True:
            await asyncio.sleep(_RETRY)
            await self._listen()

    async def close(self) -> None:
        """End everything."""
        for server in self._listeners.values():
            server.close()
        await self._links.close()


async def _nothing() -> None:
    """Ways are known from the daemon's networks; there is nobody to ask again."""


def _answer(stream: Stream, line: bytes) -> None:
    stream.begin(End())
    stream.write(line)
    stream.close()


def pulse(engine: bool, proc: Path = Path("/proc")) -> NodePulse:
    """How this machine is; 0 for what its kernel does not tell."""
    memory = parse_meminfo(_text(proc / "meminfo"))
    return NodePulse(
        memory_total=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", 0),
        cores=os.cpu_count() or 0,
        pressure_cpu=parse_pressure(_text(proc / "pressure" / "cpu")),
        pressure_memory=parse_pressure(_text(proc / "pressure" / "memory")),
        engine=engine,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _bound(address: str, port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


async def serve(link: NodeLink, door: Door, sock: socket.socket) -> None:
    """Until cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(link.watch())
            group.create_task(link.keep_listening())
            group.create_task(door.serve(sock))
    finally:
        await link.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m firstbell.link.node")
    parser.add_argument("--registry", default="", help="address of the node that has the registry")
    parser.add_argument("--keys", type=Path, default=Path(KEY_FILE))
    parser.add_argument("--socket", default=SOCKET, help="the Docker daemon's")
    parser.add_argument("--port", type=int, default=LINK_PORT)
    parser.add_argument("--address", default="", help="of this node, where its daemon does not know")
    chosen = parser.parse_args(arguments)
    keys = RoleKeys.load(KeyRole.NODE, chosen.keys)
    context = tls.server_context(keys)
    links = Links(keys, port=chosen.port)
    links.prepare(Purpose.HUB, Purpose.REGISTRY)
    raise_file_limit()
    spare_memory()
    drop_privileges(chosen.socket)

    async def work() -> None:
        link = NodeLink(Daemon(chosen.socket), links, chosen.registry, chosen.address)
        door = Door(context, link.opened, functools.partial(log, "link"))
        await serve(link, door, _bound("0.0.0.0", chosen.port))  # noqa: S104 - for the other nodes; TLS says who may

    run(work())


if __name__ == "__main__":
    main()
