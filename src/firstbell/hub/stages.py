"""What a start is doing, in words, for the page on which somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from firstbell.hub.start_queue import StartQueue

_REFRESH = 2.0
"""Seconds after which a place in the queue is told again."""

_STAGES = {
    "home": (15, "Opening your files"),
    "create": (25, "Making your server"),
    "files": (35, "Making your server"),
    "start": (45, "Switching your server on"),
    "boot": (60, "Jupyter is starting"),
    "app": (60, "The application is starting"),
    "ready": (95, "Your server is ready"),
}


class Stages:
    """The course of one start; told by it, read by any number of pages."""

    def __init__(self, user: str, queue: StartQueue) -> None:
        self._user = user
        self._queue = queue
        self._stage = ""
        self._changed = asyncio.Event()

    def __call__(self, stage: str) -> None:
        """The start has reached `stage`: one of those above, or the engine's `create`, `files`, `start`."""
        if stage in _STAGES:
            self._stage = stage
            self._changed.set()
            self._changed = asyncio.Event()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Progress events as JupyterHub sends them to the page, without end: the reader stops."""
        last: dict[str, Any] = {}
        while True:
            changed, event = self._changed, self.event()
            if event != last:
                last = event
                yield event
            try:
                await asyncio.wait_for(changed.wait(), _REFRESH)
            except TimeoutError:
                continue

    def event(self) -> dict[str, Any]:
        """Where the start is now."""
        if not self._stage:
            return {
                "progress": 5,
                "message": waiting_words(self._queue.place(self._user), self._queue.estimate(self._user)),
            }
        progress, words = _STAGES[self._stage]
        return {"progress": progress, "message": f"{words} …" if progress < 95 else words}


def waiting_words(place: int, seconds: float) -> str:
    """How a place in the queue is said."""
    if place == 0:
        return "It is your turn …"
    ahead = place - 1
    people = {0: "You are next", 1: "One person is before you"}.get(ahead, f"{ahead} people are before you")
    return f"Many are starting at once. {people}; about {_rounded(seconds)}."


def _rounded(seconds: float) -> str:
    if seconds < 60:
        return f"{max(5, -(-int(seconds) // 5) * 5)} seconds"
    minutes = round(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
