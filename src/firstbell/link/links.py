"""The side that connects: streams to other nodes, over connections that are kept for the next stream."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict

from firstbell.link import tls
from firstbell.link.carrier import Carrier, Stream
from firstbell.link.keys import RoleKeys
from firstbell.link.pipe import steady
from firstbell.model.cluster import LINK_PORT, Purpose

CONNECT = 15.0
"""Seconds for a connection and its handshake: four round trips, some of them lost, of a bad line."""
_KEPT = 30.0
"""Seconds for which a free connection is kept."""
_MOST_KEPT = 64
"""Free connections per node and purpose."""
_SHAKING = 48
"""Handshakes at once with one node: beyond that they only hold each other up, and the node lets no more in."""
_LONGEST_ANSWER = 1024 * 1024


class Links:
    """Links to any node, for one holder of keys. Used within one event loop; `close` ends them all."""

    def __init__(self, keys: RoleKeys, *, port: int = LINK_PORT) -> None:
        self._keys = keys
        self._port = port
        self._contexts: dict[Purpose, ssl.SSLContext] = {}
        self._free: defaultdict[tuple[str, Purpose], dict[Carrier, asyncio.TimerHandle]] = defaultdict(dict)
        self._all: set[Carrier] = set()
        self._making: dict[tuple[str, Purpose], asyncio.Task[None]] = {}
        self._shaking: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_SHAKING))

    def prepare(self, *purposes: Purpose) -> None:
        """Read the keys for these purposes now, while this process may. Raises ssl.SSLError."""
        for purpose in purposes:
            self._context(purpose)

    def open_now(self, address: str, purpose: Purpose, target: str, protocol: asyncio.Protocol) -> Stream | None:
        """A stream on a connection that is free; None if there is none."""
        free = self._free[address, purpose]
        while free:
            carrier, timer = free.popitem()
            timer.cancel()
            if carrier.is_free:
                return carrier.open(target, protocol)
        return None

    async def open(self, address: str, purpose: Purpose, target: str, protocol: asyncio.Protocol) -> Stream:
        """A stream to `target` on the node at `address`. Raises OSError (ssl.SSLError among them), TimeoutError.

        That the target is there is not waited for: if it is not, `protocol` loses its connection with the reason.
        """
        stream = self.open_now(address, purpose, target, protocol)
        if stream is not None:
            return stream
        async with self._shaking[address], asyncio.timeout(CONNECT):
            # One may have become free while others shook hands.
            stream = self.open_now(address, purpose, target, protocol)
            return stream or (await self._connect(address, purpose)).open(target, protocol)

    async def ask(self, address: str, purpose: Purpose, deadline: float) -> bytes:
        """What the link answers. Raises OSError, TimeoutError.

        A connection that is not made within the deadline is waited for all the same, so that the next question finds
        it: on a bad line a handshake takes longer than an answer may.
        """
        async with asyncio.timeout(deadline):
            answer = _Answer()
            while (stream := self.open_now(address, purpose, "", answer)) is None:
                await asyncio.shield(self._ready(address, purpose))
            try:
                stream.write_eof()
                return await answer.whole
            except BaseException:
                stream.abort()  # a link that did not answer is not asked again over this connection
                raise

    def _ready(self, address: str, purpose: Purpose) -> asyncio.Task[None]:
        """A free connection, in the making once at a time."""
        where = (address, purpose)

        async def make() -> None:
            async with asyncio.timeout(CONNECT):
                carrier = await self._connect(address, purpose)
            self._keep(where, carrier)

        if where not in self._making:
            task = self._making[where] = asyncio.get_running_loop().create_task(make())
            task.add_done_callback(lambda done: (self._making.pop(where, None), done.cancelled() or done.exception()))
        return self._making[where]

    async def close(self) -> None:
        """End every connection."""
        for task in tuple(self._making.values()):
            task.cancel()
        for free in self._free.values():
            for timer in free.values():
                timer.cancel()
        self._free.clear()
        for carrier in tuple(self._all):
            carrier.abort()

    async def _connect(self, address: str, purpose: Purpose) -> Carrier:
        where = (address, purpose)
        loop = asyncio.get_running_loop()
        transport, carrier = await loop.create_connection(
            lambda: Carrier(freed=lambda carrier: self._keep(where, carrier), lost=self._forget),
            address,
            self._port,
            ssl=self._context(purpose),
            server_hostname=tls.LINK_NAME,
            ssl_handshake_timeout=CONNECT,
            ssl_shutdown_timeout=2,
        )
        steady(transport)
        self._all.add(carrier)
        return carrier

    def _context(self, purpose: Purpose) -> ssl.SSLContext:
        if purpose not in self._contexts:
            self._contexts[purpose] = tls.client_context(self._keys, purpose)
        return self._contexts[purpose]

    def _keep(self, where: tuple[str, Purpose], carrier: Carrier) -> None:
        free = self._free[where]
        if len(free) >= _MOST_KEPT:
            carrier.close()
            return

        def retire() -> None:
            if free.pop(carrier, None) is not None:
                carrier.close()

        free[carrier] = asyncio.get_running_loop().call_later(_KEPT, retire)

    def _forget(self, carrier: Carrier) -> None:
        self._all.discard(carrier)
        for free in self._free.values():
            if carrier in free:
                free.pop(carrier).cancel()


class _Answer(asyncio.Protocol):
    """Collects one."""

    def __init__(self) -> None:
        self.whole: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._parts = bytearray()

    def data_received(self, data: bytes) -> None:
        self._parts += data
        if len(self._parts) > _LONGEST_ANSWER and not self.whole.done():
            self.whole.set_exception(ConnectionError("an endless answer"))

    def eof_received(self) -> bool:
        if not self.whole.done():
            self.whole.set_result(bytes(self._parts))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.whole.done():
            self.whole.set_exception(exc or ConnectionResetError("the link closed the connection"))
