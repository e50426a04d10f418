"""The one way to wait for something that can only be asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    probe: Callable[[], Awaitable[T | None]], *, deadline: float, first: float = 0.02, longest: float = 1.0
) -> T:
    """Ask `probe` until it answers something true, and return that.

    Pauses double from `first` to `longest` seconds. Raises TimeoutError after `deadline` seconds, also in the middle
    of a probe that hangs; whatever the probe raises passes through.
    """
    pause = first
    async with asyncio.timeout(deadline):
        while not (answer := await probe()):
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
    return answer
