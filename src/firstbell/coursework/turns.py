"""Turns at a file: many who read it side by side, or one who writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Turns:
    """Whoever waits to write goes before those who come to read later, so that neither waits for ever."""

    _free: asyncio.Condition = field(default_factory=asyncio.Condition)
    _readers: int = 0
    _writers: int = 0
    """Those who wait, and the one who writes."""
    _is_written: bool = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """While nobody writes."""
        async with self._free:
            await self._free.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            async with self._free:
                self._readers -= 1
                self._free.notify_all()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Alone."""
        self._writers += 1
        try:
            async with self._free:
                await self._free.wait_for(lambda: not self._readers and not self._is_written)
                self._is_written = True
            try:
                yield
            finally:
                self._is_written = False
        finally:
            self._writers -= 1
            async with self._free:
                self._free.notify_all()
