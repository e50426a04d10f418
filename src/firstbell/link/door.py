"""The side that listens: who may come in, and what for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from firstbell.link import tls
from firstbell.link.carrier import Carrier, Stream
from firstbell.link.links import CONNECT
from firstbell.link.pipe import steady
from firstbell.model.cluster import Purpose

MOST_LINKS = 16384
"""Connections at once; a room of a thousand has about five thousand."""
MOST_HANDSHAKES = 1024
MOST_HANDSHAKES_OF_ONE = 256
"""Per address: whoever connects and then says nothing keeps nobody else out."""
_BACKLOG = 1024
_BREATH = 0.1
"""Seconds to wait when the machine has no file descriptor left."""

Opened = Callable[[Stream, Purpose, str], None]
Say = Callable[[str], None]


class Door:
    """Lets in who shows a certificate of the cluster, and hands over each stream with its purpose and target."""

    def __init__(self, context: ssl.SSLContext, opened: Opened, say: Say) -> None:
        self._context = context
        self._opened = opened
        self._say = say
        self._carriers: set[Carrier] = set()
        self._shaking: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> int:
        """How many are connected."""
        return len(self._carriers)

    async def serve(self, sock: socket.socket) -> None:
        """Accept on a listening socket until cancelled; then everything ends."""
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        sock.listen(_BACKLOG)
        try:
            while True:
                try:
                    connection, peer = await loop.sock_accept(sock)
                except OSError:
                    await asyncio.sleep(_BREATH)
                    continue
                self._come(connection, str(peer[0]))
        finally:
            sock.close()
            for task in self._tasks:
                task.cancel()
            for carrier in tuple(self._carriers):
                carrier.close()

    def _come(self, connection: socket.socket, source: str) -> None:
        if (
            len(self._carriers) >= MOST_LINKS
            or self._shaking.total() >= MOST_HANDSHAKES
            or self._shaking[source] >= MOST_HANDSHAKES_OF_ONE
        ):
            connection.close()
            return
        self._shaking[source] += 1
        task = asyncio.get_running_loop().create_task(self._shake(connection, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _shake(self, connection: socket.socket, source: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: _Guest(self, source),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=CONNECT,
                ssl_shutdown_timeout=2,
            )
            steady(transport)
        except (OSError, TimeoutError) as error:
            self._say(f"refused {source}: {getattr(error, 'reason', None) or type(error).__name__}")
            with contextlib.suppress(OSError):
                connection.close()
        finally:
            self._shaking[source] -= 1
            if not self._shaking[source]:
                del self._shaking[source]

    def enter(self, carrier: Carrier, source: str, transport: Any) -> Purpose | None:
        """What a connection is for; None for one that is refused."""
        peer, chosen = transport.get_extra_info("peercert"), transport.get_extra_info("ssl_object")
        protocol = chosen.selected_alpn_protocol() if chosen else None
        purpose = tls.allowed(peer, protocol)
        if purpose is None:
            role = tls.role_of(peer)
            self._say(f"refused {source}: {role.value if role else 'nobody'} may not ask for {protocol or 'nothing'}")
            return None
        self._carriers.add(carrier)
        return purpose

    def leave(self, carrier: Carrier) -> None:
        """A connection has gone."""
        self._carriers.discard(carrier)

    def stream(self, stream: Stream, purpose: Purpose, target: str) -> None:
        """One of its streams has begun."""
        self._opened(stream, purpose, target)


class _Guest(Carrier):
    """A connection that has come in."""

    def __init__(self, door: Door, source: str) -> None:
        super().__init__(opened=self._begun, lost=door.leave)
        self._door = door
        self._source = source
        self._purpose: Purpose | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._purpose = self._door.enter(self, self._source, transport)
        if self._purpose is None:
            self.abort()

    def _begun(self, stream: Stream, target: str) -> None:
        if self._purpose is None:
            self.abort()
        else:
            self._door.stream(stream, self._purpose, target)
