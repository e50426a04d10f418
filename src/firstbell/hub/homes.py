"""The store of homes as starts meet it: a directory or a file server, which may be away and is never waited for long.

The hub itself touches no path of a store: one that hangs would take its threads one by one. Containers do, which the
engine ends; while the store is away, starts are told so at once, and it is looked at until it is back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing, StartFailed
from firstbell.model.course import Course
from firstbell.plan.home import home_directory, home_volume, list_helper, look_helper, store_volume

LOG = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 15.0
"""Seconds after which a start that is not done makes us look at the store; most take two or three."""
LOOK = 30.0
"""Seconds for a container to look at a store that answers, on a machine that is starting a whole class."""
AGAIN = 5.0
"""Seconds between looks at a store that is away."""
_GONE = ("source path does not exist", "no such file or directory")
_UNMOUNTABLE = (*_GONE, "error while mounting volume", "failed to mount local volume", "not connected", "stale file")


@dataclass(slots=True)
class Store:
    """Where all homes of the course are, and whether it answers; homes that are volumes never ask it anything."""

    course: Course
    engine: Engine
    image: str
    """With python3, for the containers that look."""
    patience: float = PATIENCE
    look: float = LOOK
    again: float = AGAIN
    _away_since: float | None = None
    _evidence: tuple[str, ...] = ()
    _looking: asyncio.Task[None] | None = field(default=None, repr=False)
    _left: set[asyncio.Task[Any]] = field(default_factory=set, repr=False)

    @property
    def is_away(self) -> bool:
        """Whether it is known not to answer."""
        return self._away_since is not None

    async def within(self, user: str, node: str, start: Coroutine[Any, Any, T]) -> T:
        """The outcome of a start that needs the store.

        Raises HomeMissing, in bounded time, where the store does not answer or the user's folder is gone; a start that
        hangs in it is then left to its own deadlines.
        """
        if not self.course.homes.is_shared:
            return await start
        if self.is_away:
            start.close()
            raise self._error()
        task = asyncio.ensure_future(start)
        try:
            while not (await asyncio.wait({task}, timeout=self.patience))[0] and await self._answers(node):
                pass
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        if not task.done():
            task.cancel()
            self._leave(task)
            raise self._error()
        try:
            return task.result()
        except StartFailed as error:
            raise await self._explained(user, node, error) from error

    async def folders(self) -> list[str]:
        """The names of all homes in the store. Raises FirstbellError."""
        await self._way("")
        result = await self.engine.run(list_helper(self.course, self.image), deadline=self.look)
        if result.exit_code:
            raise HomeMissing("the homes cannot be listed", where=self.course.homes.store, evidence=result.lines)
        names: list[str] = json.loads(result.stdout)
        return names

    async def _explained(self, user: str, node: str, error: StartFailed) -> FirstbellError:
        """What an engine's refusal to mount a home means: that it is gone, or that its store is."""
        said = " ".join((*error.evidence, error.what)).lower()
        if not any(words in said for words in _UNMOUNTABLE):
            return error
        if not await self._answers(node):
            return self._error()
        if any(words in said for words in _GONE):
            place = home_directory(self.course, user) if self.course.homes.directory else home_volume(self.course, user)
            return missing(f"the folder {place if isinstance(place, str) else place.options['device']} is gone", user)
        return error

    async def _answers(self, node: str) -> bool:
        """Whether the store answers, by a container that looks; one at a time, which goes on until it does."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._until_it_answers(node))
        until = time.monotonic() + self.look + 1
        while not self._looking.done() and not self.is_away and time.monotonic() < until:
            await asyncio.wait({self._looking}, timeout=0.1)
        return not self.is_away

    async def _until_it_answers(self, node: str) -> None:
        while True:
            look = asyncio.ensure_future(self._look(node))
            await asyncio.wait({look}, timeout=self.look)
            if not look.done():
                self._is_away(())
            # One that hangs is waited for: more of them would hang as well, and each holds a container.
            if await look:
                break
            await asyncio.sleep(self.again)
        if self._away_since is not None:
            seconds = time.monotonic() - self._away_since
            LOG.warning("The store of homes %s answers again after %.0f s", self.course.homes.store, seconds)
        self._away_since = None

    async def _look(self, node: str) -> bool:
        try:
            await self._way(node)
            result = await self.engine.run(look_helper(self.course, self.image, node=node), deadline=self.look * 4)
        except EngineUnavailable:
            return not self.is_away  # says nothing about the store
        except (FirstbellError, OSError, TimeoutError) as error:
            self._is_away(getattr(error, "evidence", ()))
            return False
        if result.exit_code:
            self._is_away(result.lines)
        return result.exit_code == 0

    async def _way(self, node: str) -> None:
        if volume := store_volume(self.course, node):
            await self.engine.ensure_volume(volume)

    def _is_away(self, evidence: tuple[str, ...]) -> None:
        self._evidence = tuple(evidence)[-3:] or self._evidence
        if self._away_since is None:
            LOG.warning("The store of homes %s does not answer; starts fail until it does", self.course.homes.store)
            self._away_since = time.monotonic()

    def _error(self) -> HomeMissing:
        return HomeMissing(
            f"the place where everybody's files are, {self.course.homes.store}, does not answer now",
            where=self.course.homes.store,
            next_step="Nothing is lost. Try again in some minutes: it is looked at all the time.",
            evidence=self._evidence,
        )

    def _leave(self, task: asyncio.Task[Any]) -> None:
        """Let it end by itself, and nobody miss its error."""
        self._left.add(task)

        def forget(ended: asyncio.Task[Any]) -> None:
            self._left.discard(ended)
            if not ended.cancelled():
                ended.exception()

        task.add_done_callback(forget)


def missing(what: str, user: str) -> HomeMissing:
    """The error of a home that must be there and is not."""
    return HomeMissing(
        what,
        next_step=f"Restore it with `firstbell homes import {user}`, or, if it was deleted on purpose, let this person "
        f"begin anew with `firstbell homes delete {user}`.",
    )
