"""One connection to a web server: HTTP/1.1 with keep-alive, streams and websockets.

A protocol of our own, as a crowd needs it: bodies that nobody reads are counted as they arrive, without waking anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus


class ConnectionLost(Exception):
    """The server ended the connection before it had answered; `early` if nothing of the answer had come."""

    def __init__(self, early: bool) -> None:
        super().__init__("the connection was closed")
        self.early = early


@dataclass(slots=True)
class Head:
    """An answer's status line and headers, names in lower case."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    size: int = 0


class Connection(asyncio.Protocol):
    """One request at a time. Ask `send`, then either `body` (the whole) or `pieces` (as they come)."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reset()
        self.is_open = False

    def _reset(self) -> None:
        self._buffer = bytearray()
        self._body = bytearray()
        self._head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pieces: asyncio.Queue[bytes] | None = None
        self._mode = "head"
        self._left = 0
        self._keep = True
        self._reusable = True
        self.received = 0

    # what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone: that may be the end of a body without a length."""
        del exc
        self.is_open = False
        if self._mode == "until-close":
            self._finish()
        error = ConnectionLost(early=self.received == 0)
        for future in (self._head, self._end):
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen: whoever waits is told, nobody else need be
        if self._pieces is not None:
            self._pieces.put_nowait(b"")

    def data_received(self, data: bytes) -> None:
        """Some more of the answer."""
        self.received += len(data)
        if self._mode == "head":
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            data = bytes(self._buffer[end + 4 :])
            raw = bytes(self._buffer[:end])
            self._buffer.clear()
            self._begin(raw)
        if data and self._mode != "done":
            self._more(data)

    def _begin(self, raw: bytes) -> None:
        head = _parsed(raw)
        headers = head.headers
        self._reusable = headers.get("connection", "").lower() != "close"
        if head.status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._mode, self._pieces = "until-close", asyncio.Queue()
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            self._mode, self._left = "chunked", -1
        elif "content-length" in headers:
            self._mode, self._left = "length", int(headers["content-length"])
        elif head.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self._mode, self._left = "length", 0
        else:
            self._mode, self._reusable = "until-close", False
        self._head.set_result(head)
        if head.status == HTTPStatus.NOT_MODIFIED or (self._mode == "length" and self._left == 0):
            self._finish()

    def _more(self, data: bytes) -> None:
        if self._mode == "chunked":
            self._unchunk(data)
            return
        self._content(data)
        if self._mode == "length":
            self._left -= len(data)
            if self._left <= 0:
                self._finish()

    def _unchunk(self, data: bytes) -> None:
        """Chunks (RFC 9112, 7.1): a size in hexadecimal, that many bytes, a line's end; the last one is empty."""
        buffer = self._buffer
        buffer += data
        while self._mode == "chunked":
            if self._left < 0:
                end = buffer.find(b"\r\n")
                if end < 0:
                    return
                self._left = int(bytes(buffer[:end]).split(b";")[0], 16)
                if self._left and len(buffer) < end + 2:
                    return
                del buffer[: end + 2]
            if self._left == 0:
                if buffer.find(b"\r\n") < 0:
                    return
                self._finish()
                return
            if len(buffer) < self._left + 2:
                return
            self._content(bytes(buffer[: self._left]))
            del buffer[: self._left + 2]
            self._left = -1

    def _content(self, data: bytes) -> None:
        if self._pieces is not None:
            self._pieces.put_nowait(data)
        elif self._keep:
            self._body += data

    def _finish(self) -> None:
        self._mode = "done"
        if not self._end.done():
            self._end.set_result(None)
        if self._pieces is not None:
            self._pieces.put_nowait(b"")

    # what the client asks

    async def send(self, request: bytes, *, keep: bool = True, stream: bool = False) -> Head:
        """Send a request; the answer's head. Raises ConnectionLost."""
        self._reset()
        self._keep = keep
        if stream:
            self._pieces = asyncio.Queue()
        if self._transport is None or not self.is_open:
            raise ConnectionLost(early=True)
        self._transport.write(request)
        return await self._head

    async def body(self) -> bytes:
        """The whole body; empty if it was not to be kept. Raises ConnectionLost."""
        await self._end
        return bytes(self._body)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, or what comes over a websocket, as it comes."""
        assert self._pieces is not None
        while piece := await self._pieces.get():
            yield piece

    def write(self, data: bytes) -> None:
        """Send more, over a websocket."""
        if self._transport is None or not self.is_open:
            raise ConnectionLost(early=False)
        self._transport.write(data)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent over it."""
        return self.is_open and self._reusable and self._mode == "done"

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
        self.is_open = False


def _parsed(raw: bytes) -> Head:
    lines = raw.decode("latin-1").split("\r\n")
    head = Head(int(lines[0].split(" ", 2)[1]), size=len(raw) + 4)
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name == "set-cookie":
            head.cookies.append(value.strip())
        else:
            head.headers[name] = value.strip()
    return head
