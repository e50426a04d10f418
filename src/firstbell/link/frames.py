"""What passes on a link: frames of four bytes (kind, length) and that many bytes of content.

A link carries one stream after another. TLS cannot say "I have said everything, go on" (asyncio takes its farewell for
the end of both directions), and a handshake costs more than a request: so the end of one direction is a frame, and once
both have ended, the same connection carries the next stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

_HEADER = struct.Struct(">I")
_LENGTH_BITS = 24
LONGEST = (1 << _LENGTH_BITS) - 1
_LONGEST_WORD = 512
"""Bytes of anything but data: more is no link of ours."""


class Kind(IntEnum):
    """What a frame says."""

    OPEN = 1
    """A stream begins; the content is its target. Only whoever connected opens."""
    DATA = 2
    END = 3
    """No more data in this direction."""
    FAILED = 4
    """The target cannot be had, and why; the end of this direction, too."""


class Broken(ConnectionError):
    """The other side does not speak as a link does."""


def frame(kind: Kind, content: bytes = b"") -> bytes:
    """Header and content, at most LONGEST bytes of it."""
    return _HEADER.pack(kind << _LENGTH_BITS | len(content)) + content


class Frames:
    """Takes bytes as they come, gives frames; those of data in pieces as they come, all others whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._data_left = 0

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Frames that are complete now. Raises Broken."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while at < end:
            if self._data_left:
                piece = data[at : at + self._data_left] if at or end > self._data_left else data
                self._data_left -= len(piece)
                at += len(piece)
                yield Kind.DATA, piece
                continue
            if end - at < _HEADER.size:
                break
            (head,) = _HEADER.unpack_from(data, at)
            kind, length = _known(head >> _LENGTH_BITS), head & LONGEST
            if kind is Kind.DATA:
                self._data_left = length
                at += _HEADER.size
                continue
            if length > _LONGEST_WORD:
                raise Broken(f"a word of {length} bytes")
            if end - at - _HEADER.size < length:
                break
            at += _HEADER.size + length
            yield kind, data[at - length : at]
        self._rest = data[at:]


def _known(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise Broken(f"a frame of kind {number}") from None
