"""What a start is doing, in words, for the page on which somebody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from firstbell.hub.starts.promise import Promise, rounded
from firstbell.hub.starts.queue import StartQueue

_REFRESH = 2.0
"""Seconds after which a place in the queue is told again."""

_STAGES = {
    "lease": (5, "Waiting until it is certain that nothing else writes your files"),
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
        self._promise = Promise()
        self._stage = ""
        self._reached = time.monotonic()
        self._changed = asyncio.Event()

    def __call__(self, stage: str) -> None:
        """The start has reached `stage`: one of those above, or the engine's `create`, `files`, `start`."""
        if stage in _STAGES:
            self._stage = stage
            self._reached = time.monotonic()
            self._changed.set()
            self._changed = asyncio.Event()

    def still(self) -> float:
        """Seconds since the start last got further; while it waits for its turn, since it was asked for."""
        return time.monotonic() - self._reached

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
        """Where the start is now: `progress` and `message` as JupyterHub's pages and programs know them.

        Ours shows `doing` and, while the start waits for its turn, `place` (1 is the next) and `wait`.
        """
        if self._stage:
            progress, words = _STAGES[self._stage]
            return _event(progress, f"{words} …" if progress < 95 else words)
        place = self._queue.place(self._user)
        if place == 0:
            return _event(5, "It is your turn …")
        wait = f"about {rounded(self._promise.seconds(self._queue.estimate(self._user)))}"
        message = f"{MANY} {ahead_words(place)}; {wait}."
        return {"progress": 5, "message": message, "doing": MANY, "place": place, "wait": wait}


MANY = "Many are starting at once."


def ahead_words(place: int) -> str:
    """How many are before somebody, in words."""
    ahead = place - 1
    return {0: "You are next", 1: "One person is before you"}.get(ahead, f"{ahead} people are before you")


def _event(progress: int, words: str) -> dict[str, Any]:
    return {"progress": progress, "message": words, "doing": words}
