"""A TLS connection between two nodes that carries streams, one after another; each is an asyncio transport.

So whatever speaks over a TCP connection (aiohttp, a pipe) speaks over a stream, half-close and back-pressure included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from firstbell.link.frames import LONGEST, Broken, Frames, Kind, frame

_BUFFER = 64 * 1024
"""Bytes that wait at most in each direction of a link whose far side, or near side, does not read."""
_LINGER = 2.0
"""Seconds in which the far side may end its direction of a stream that we have closed; then the link is given up."""

_Bytes = bytes | bytearray | memoryview


class Carrier(asyncio.Protocol):
    """One end of a link.

    `opened` is called for each stream that the other side opens; who connected passes none, and opens itself.
    `freed` is called when a stream has ended and the next may begin, `lost` at the end of the connection.
    """

    def __init__(
        self,
        *,
        opened: Callable[[Stream, str], None] | None = None,
        freed: Callable[[Carrier], None] | None = None,
        lost: Callable[[Carrier], None] | None = None,
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.stream: Stream | None = None
        self.write_paused = False
        self._frames = Frames()
        self._opened, self._freed, self._lost = opened, freed, lost

    @property
    def is_free(self) -> bool:
        """Whether a stream can be opened on it."""
        return self.stream is None and self.transport is not None and not self.transport.is_closing()

    def open(self, target: str, protocol: asyncio.Protocol) -> Stream:
        """Begin a stream on a free link; the far side's answer is not waited for."""
        stream = self._begin()
        self.send(Kind.OPEN, target.encode())
        stream.begin(protocol)
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport
        transport.set_write_buffer_limits(high=_BUFFER)  # type: ignore[attr-defined]
        if hasattr(transport, "set_read_buffer_limits"):  # asyncio's own of TLS: 256 KiB of what is not yet decrypted
            transport.set_read_buffer_limits(high=_BUFFER)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, content in self._frames.feed(data):
                self._take(kind, content)
        except Broken:
            self.abort()

    def _take(self, kind: Kind, content: bytes) -> None:
        if kind is Kind.OPEN:
            if self.stream is not None or self._opened is None:
                raise Broken("a stream within a stream")
            self._opened(self._begin(), content.decode(errors="replace"))
        elif self.stream is None:
            raise Broken("nothing was opened")
        else:
            self.stream.take(kind, content)

    def _begin(self) -> Stream:
        self.stream = Stream(self)
        return self.stream

    def connection_lost(self, exc: Exception | None) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.cut(exc or ConnectionResetError("the link was cut"))
        if self._lost is not None:
            self._lost(self)

    def pause_writing(self) -> None:
        self.write_paused = True
        if self.stream is not None:
            self.stream.pause_writing()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.stream is not None:
            self.stream.resume_writing()

    def send(self, kind: Kind, content: bytes = b"") -> None:
        """Put a frame on the way."""
        if self.transport is not None:
            self.transport.write(frame(kind, content))

    def done(self) -> None:
        """The stream has ended in both directions."""
        self.stream = None
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.resume_reading()
        if self._freed is not None:
            self._freed(self)

    def close(self) -> None:
        """End the connection, after what is on the way."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self.transport is not None:
            self.transport.abort()


class Stream(asyncio.Transport):
    """One stream of a link, as a transport. What arrives before there is a protocol is kept."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self._carrier = carrier
        self._protocol: asyncio.Protocol | None = None
        self._waiting: deque[tuple[Kind, bytes]] = deque()
        self._paused = False
        self._ended_in = self._ended_out = self._closing = self._told = False
        self._linger: asyncio.TimerHandle | None = None
        self.lost: BaseException | None = None
        """Why it ended before anybody listened."""

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Let `protocol` have it from here on. One whose link was cut meanwhile tells that at once."""
        self._protocol = protocol
        protocol.connection_made(self)
        if self.lost is not None:
            self._tell(self.lost)
            return
        if self._carrier.write_paused:
            protocol.pause_writing()
        self._drain()

    # what comes from the link

    def take(self, kind: Kind, content: bytes) -> None:
        """A frame of this stream."""
        if kind is Kind.DATA and self._closing:
            return
        if (self._waiting or self._paused or self._protocol is None) and not self._closing:
            self._waiting.append((kind, content))
            if self._carrier.transport is not None and not self._paused:
                self._carrier.transport.pause_reading()
            return
        self._deliver(kind, content)

    def _deliver(self, kind: Kind, content: bytes) -> None:
        if kind is Kind.DATA:
            if self._protocol is not None:
                self._protocol.data_received(content)
            return
        self._ended_in = True
        if kind is Kind.FAILED:
            self._tell(ConnectionRefusedError(content.decode(errors="replace")))
            self._closing = True
            self._end()
        elif not self._closing and self._protocol is not None and not self._protocol.eof_received():
            self._closing = True
            self._end()
        self._settle()

    def _drain(self) -> None:
        while self._waiting and not self._paused:
            self._deliver(*self._waiting.popleft())
        if not self._paused and not self._waiting and self._carrier.stream is self and self._carrier.transport:
            self._carrier.transport.resume_reading()

    def cut(self, why: BaseException) -> None:
        """The link has gone."""
        self.lost = why
        self._closing = True
        self._waiting.clear()
        self._tell(why)

    # the transport

    def write(self, data: _Bytes) -> None:
        if not data or self._closing or self._ended_out:
            return
        content = bytes(data)
        for start in range(0, len(content), LONGEST):
            self._carrier.send(Kind.DATA, content[start : start + LONGEST] if len(content) > LONGEST else content)

    def writelines(self, list_of_data: Iterable[_Bytes]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._end()
        self._settle()

    def fail(self, why: str) -> None:
        """Tell the other side that its target cannot be had; what it sends is passed over."""
        if not self._ended_out:
            self._ended_out = self._closing = True
            self._waiting_ended()
            self._carrier.send(Kind.FAILED, why.encode()[:200])
            self._settle()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._waiting_ended()
        self._end()
        self._tell(None)
        self._settle()

    def abort(self) -> None:
        if self._carrier.stream is self:
            self._carrier.abort()
        self._closing = True
        self._tell(None)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        if not self._paused and self._carrier.stream is self and self._carrier.transport is not None:
            self._paused = True
            self._carrier.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._drain()

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_writing(self) -> None:
        """Of the protocol."""
        if self._protocol is not None and not self._told:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Of the protocol."""
        if self._protocol is not None and not self._told:
            self._protocol.resume_writing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol  # type: ignore[assignment]  # streams have protocols of streams

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._carrier.transport.get_extra_info(name, default) if self._carrier.transport else default

    def get_write_buffer_size(self) -> int:
        return self._carrier.transport.get_write_buffer_size() if self._carrier.transport else 0

    # its end

    def _waiting_ended(self) -> None:
        """Nobody wants what is kept; only whether it was the end matters."""
        self._ended_in = self._ended_in or any(kind is not Kind.DATA for kind, _ in self._waiting)
        self._waiting.clear()
        if self._paused or not self._ended_in:
            self._paused = False
            if self._carrier.stream is self and self._carrier.transport is not None:
                self._carrier.transport.resume_reading()

    def _end(self) -> None:
        if not self._ended_out:
            self._ended_out = True
            self._carrier.send(Kind.END)

    def _settle(self) -> None:
        """Free the link once both directions have ended; give it up if the other side does not end its own."""
        if self._carrier.stream is not self:
            return
        if self._ended_in and self._ended_out:
            if self._linger is not None:
                self._linger.cancel()
            self._closing = True
            self._tell(None)
            self._carrier.done()
        elif self._closing and self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(_LINGER, self._give_up)

    def _give_up(self) -> None:
        if self._carrier.stream is self:
            self._carrier.close()

    def _tell(self, why: BaseException | None) -> None:
        """The protocol learns once that it is over, in a turn of its own, as of any transport."""
        if self._told or self._protocol is None:
            return
        self._told = True
        error = why if isinstance(why, Exception) else None
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)
