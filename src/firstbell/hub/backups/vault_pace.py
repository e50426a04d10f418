"""How fast backups are made while people are there: one home at a time, never beside those who wait for a start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from firstbell.backup.homes import Ask, Homes, Place
from firstbell.engine.base import Engine
from firstbell.hub.homes import choice as home_choice
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.rehearsals.book import RehearsalBook
from firstbell.model.backup import Subject
from firstbell.model.course import Course

LOOK = 2.0
"""Seconds between two looks whether people still wait."""
LONGEST_REST = 30.0


@dataclass(frozen=True, slots=True)
class Busy:
    """How the hub is."""

    waiting: int = 0
    """Starts that wait or are under way."""
    servers: int = 0
    """That run."""


class Pace:
    """Of one order after the other. Without patience it lets nobody go first."""

    def __init__(self, look: Callable[[], Awaitable[Busy]]) -> None:
        self._look = look
        self._left = self._turned = 0.0

    def begin(self, patience: float) -> None:
        """An order begins that may wait for others so many seconds in all: a backup must come to its end, too."""
        self._left, self._turned = patience, 0.0

    async def turn(self) -> None:
        """Returns when the next home may be had.

        With people at work it rests as long as the home before took, so that half of the time nothing is done.
        """
        if self._left <= 0:
            return
        began = time.monotonic()
        took = began - self._turned if self._turned else 0.0
        while (busy := await self._look()).waiting and self._left > 0:
            await self._wait(LOOK)
        if busy.servers and time.monotonic() - began < took and self._left > 0:
            await self._wait(min(took, LONGEST_REST))
        self._turned = time.monotonic()

    async def _wait(self, seconds: float) -> None:
        self._left -= seconds
        await asyncio.sleep(seconds)


class PacedHomes(Homes):
    """A course's homes, each had at its turn; those of a rehearsal's people are nobody's."""

    def __init__(  # noqa: PLR0917 - as what it is, with three more
        self, course: Course, engine: Engine, image: str, ask: Ask, pace: Pace, state: Path, store: PeopleStore
    ) -> None:
        super().__init__(course, engine, image, ask)
        self._pace = pace
        self._rehearsal = RehearsalBook(state)
        self._store = store

    async def subjects(self) -> tuple[Subject, ...]:
        """As of any course."""
        nobody = set(self._rehearsal.people())
        return tuple(one for one in await super().subjects() if one.user not in nobody)

    async def place_of(self, subject: Subject) -> Place:
        """As of any course, once it is its turn."""
        await self._pace.turn()
        return await super().place_of(subject)

    async def make(self, user: str, ids: tuple[int, int]) -> str:
        """As of any course; on a cluster the hub knows it at once, or their next start would make another elsewhere."""
        if node := await super().make(user, ids):
            home_choice.made(self._store, user, node)
        return node
