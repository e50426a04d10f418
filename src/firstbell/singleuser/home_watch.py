"""Looks at how full the home is, tells the hub in the words that the server sends anyway, and its person in Lab."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from typing import Any

from . import home_room, home_walk, rescue
from .home_room import Disk, Measure, Quota

FIRST = 10.0
"""Seconds after the server's start: not in the way of its first page. Spread, as classes start at once."""


class HomeWatch:
    """Of one server."""

    def __init__(self, home: str, quota: Quota, log: Any) -> None:
        self._home, self._quota, self._log = home, quota, log
        self._rescue = bool(os.environ.get(rescue.VARIABLE))
        self._measure: Measure | None = None
        self._disk: Disk | None = None
        self._level = "ok"
        self._ended = False
        self._again = asyncio.Event()
        self.news = asyncio.Event()
        """Set when the hub should hear of it sooner than its next word would be due."""

    async def keep_looking(self) -> None:
        """Until cancelled. No failure ends it."""
        await self._pause(0.0 if self._rescue else FIRST * random.uniform(1.0, 2.0))
        try:
            while True:
                seconds = home_room.CALM_PAUSE
                try:
                    seconds = await self.look()
                except OSError as error:
                    self._log.warning("firstbell: the home could not be measured: %s", error.strerror)
                except Exception:
                    self._log.exception("firstbell: the home could not be measured")
                await self._pause(seconds)
        finally:
            self._ended = True

    async def look(self) -> float:
        """Measures once; seconds until the next time."""
        self._disk = home_walk.disk_of(self._home)
        said = home_walk.by_disk(self._disk) if self._quota.bounds(self._disk) else None
        if said is None or self._disk.is_full or self._quota.share(said, self._disk) >= home_room.NEAR:
            loop = asyncio.get_running_loop()
            walked = await loop.run_in_executor(None, home_walk.walk, self._home, lambda: self._ended)
            self._disk = home_walk.disk_of(self._home)
            self._measure = replace(said, parts=walked.parts, cost=walked.cost) if said else walked
        else:
            self._measure = said
        found = home_room.level(self._quota, self._measure, self._disk, self._rescue)
        if found != self._level:
            self._level = found
            self.news.set()
        share = 1.0 if self._disk.is_full or self._rescue else self._quota.share(self._measure, self._disk)
        return home_room.pause(self._measure, share)

    def for_hub(self) -> dict[str, Any] | None:
        """What the hub is told: sizes, no names. None before the first measure."""
        if self._measure is None or self._disk is None:
            return {"rescue": True} if self._rescue else None
        return {
            "size": self._measure.size,
            "files": self._measure.files,
            "whole": self._measure.is_whole,
            "free": self._disk.free,
            "full": self._disk.is_full,
            "rescue": self._rescue,
        }

    def for_owner(self) -> dict[str, Any]:
        """What the companion shows to its owner; empty before the first measure."""
        if self._measure is None:
            return {}
        is_full = self._level in ("full", "rescue")
        used = "full" if is_full else home_room.sizes(self._quota, self._measure)
        parts = [[part.name, home_room.in_units(part.size), part.files] for part in self._measure.parts if part.size]
        spare = sum(part.size for part in self._measure.parts if part.name in (home_walk.TRASH, home_walk.CACHE))
        words = home_room.words(self._level, self._quota, self._measure)
        return {
            "level": self._level,
            "used": used,
            "words": words,
            "parts": parts,
            "spare": home_room.in_units(spare) if spare else "",
        }

    def has_room(self) -> bool:
        """Whether what is deleted may go to the trash: there it takes as much as before."""
        try:
            return not (self._rescue or self._level in ("over", "full") or home_walk.disk_of(self._home).is_full)
        except OSError:
            return True

    def hurry(self) -> None:
        """Measure now: something was deleted."""
        self._again.set()

    async def make_room(self) -> None:
        """Empties trash and caches, and measures."""
        await asyncio.get_running_loop().run_in_executor(None, home_walk.make_room, self._home)
        await self.look()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._again.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        self._again.clear()
