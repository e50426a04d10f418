"""The one way to wait for something that can only be asked about, and the one to ask several things at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

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


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """The answers of calls made side by side; when one fails the others are ended too, and waited for."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
