"""An engine's stream as a file that a thread can read."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

_TOLD_EVERY = 8 * 1024 * 1024
"""Bytes."""


class Pieces(io.RawIOBase):
    """Reads from the loop's stream; whoever reads is in another thread. What the stream raises reaches the reader."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], moved: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._moved = moved
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._count = self._told = 0

    async def begin(self) -> None:
        """Get the first piece. Raises FileNotFoundError where there is nothing of the kind."""
        self._rest = await self._next()

    async def aclose(self) -> None:
        """Let go of the stream."""
        with suppress(RuntimeError):  # the reader was cut and waits for a piece
            await self._pieces.aclose()

    async def _next(self) -> bytes:
        return await anext(self._pieces, b"")

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end."""
        found: list[bytes] = []
        missing = size
        while missing:
            if not self._rest:
                self._rest = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
                if not self._rest:
                    break
            piece = self._rest[:missing] if missing > 0 else self._rest
            self._rest = self._rest[len(piece) :]
            missing -= len(piece) if missing > 0 else 0
            found.append(piece)
        self._tell(sum(map(len, found)))
        return b"".join(found)

    def _tell(self, count: int) -> None:
        self._count += count
        if self._count - self._told >= _TOLD_EVERY:
            self._told = self._count
            self._loop.call_soon_threadsafe(self._moved, self._count)
