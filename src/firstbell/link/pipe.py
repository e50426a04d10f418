"""Joins two connections: what one says the other hears, with half-close, back-pressure, and resets as resets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset."""
IDLE = 30
"""Seconds of silence after which the kernel asks whether the other side is still there, and again every _AGAIN."""
_AGAIN = 5
PATIENCE = 60
"""Seconds without an answer after which a connection is given up. Ten questions in a row are lost once in millions
at a loss of ten percent, and a page that was cut off for longer reconnects by itself."""


class End(asyncio.Protocol):
    """One of the two. What it hears before the other is there is not read."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: End | None = None
        self.has_ended = self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of a stream
        if self.other is None or self.other.transport is None:
            self.transport.pause_reading()  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        far = self.far
        if far is not None:
            far.write(data)

    def eof_received(self) -> bool:
        self.has_ended = True
        far = self.far
        if far is not None:
            if self.other is not None and self.other.has_ended:
                far.close()
                return False
            far.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        far = self.far
        if far is None or (self.other is not None and self.other.is_lost):
            return
        if exc is None:
            far.close()
        else:
            reset(far)

    def pause_writing(self) -> None:
        far = self.far
        if far is not None:
            far.pause_reading()

    def resume_writing(self) -> None:
        far = self.far
        if far is not None:
            far.resume_reading()

    @property
    def far(self) -> asyncio.Transport | None:
        """The other's connection."""
        return self.other.transport if self.other is not None else None


def join(one: End, two: End) -> None:
    """From here on both hear each other; one that has gone already takes the other with it."""
    one.other, two.other = two, one
    for end in (one, two):
        if end.is_lost and end.far is not None:
            end.far.abort()
            return
    for end in (one, two):
        if end.transport is not None:
            end.transport.resume_reading()


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the other side does not take what it has for all of it."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    transport.abort()


def steady(transport: asyncio.BaseTransport) -> None:
    """Let the kernel notice when the other side has gone, also where nothing is said for hours."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _AGAIN)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PATIENCE // _AGAIN)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
