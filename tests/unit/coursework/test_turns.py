"""Turns at a file: many who read, one who writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from firstbell.coursework.turns import Turns


class File:
    """Who is at it."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.readers = self.writers = self.most_readers = 0
        self.order: list[str] = []

    async def use(self, turn: AbstractAsyncContextManager[None], name: str, steps: int = 3) -> None:
        """Have a turn for some steps of the loop."""
        is_write = name.startswith("w")
        async with turn, self._at(is_write):
            self.order.append(name)
            for _ in range(steps):
                await asyncio.sleep(0)

    @asynccontextmanager
    async def _at(self, is_write: bool) -> AsyncIterator[None]:
        self.writers += is_write
        self.readers += not is_write
        self.most_readers = max(self.most_readers, self.readers)
        assert self.writers == 0 or (self.writers, self.readers) == (1, 0)
        yield
        self.writers -= is_write
        self.readers -= not is_write


async def test_readers_are_side_by_side_and_writers_alone():
    """Whatever order they come in."""
    file = File()
    uses = [file.use(file.turns.writing() if n % 3 == 0 else file.turns.reading(), "wrr"[n % 3]) for n in range(30)]
    await asyncio.gather(*uses)
    assert len(file.order) == 30 and file.most_readers > 1


async def test_a_writer_that_waits_goes_before_later_readers():
    """A class whose feedback is made one after the other keeps no grade waiting until its end."""
    file = File()
    first = asyncio.create_task(file.use(file.turns.reading(), "first"))
    await asyncio.sleep(0)
    await asyncio.gather(file.use(file.turns.writing(), "write"), file.use(file.turns.reading(), "later"), first)
    assert file.order == ["first", "write", "later"]


async def test_who_gives_up_or_fails_keeps_nobody_waiting():
    """A turn that is cancelled while it waits, and one that raises."""
    file = File()
    reader = asyncio.create_task(file.use(file.turns.reading(), "reader", steps=20))
    await asyncio.sleep(0)
    writer = asyncio.create_task(file.use(file.turns.writing(), "writer"))
    await asyncio.sleep(0)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    with pytest.raises(ValueError, match="broken"):
        async with asyncio.timeout(5), file.turns.reading():
            raise ValueError("broken")
    await reader
    async with asyncio.timeout(5):
        await file.use(file.turns.writing(), "write")
