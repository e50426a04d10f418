"""The store of homes as starts meet it: a directory or a file server, which may be away and is never waited for long.

The hub itself touches no path of a store: one that hangs would take its threads one by one. Containers do, which the
engine ends; while the store is away, starts are told so at once, and it is looked at until it is back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing, StartFailed
from firstbell.model.course import Course
from firstbell.plan.home import home_directory, home_volume, list_helper, look_helper, mark_helper, store_volume

LOG = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 15.0
"""Seconds after which a start that is not done makes us look at the store; most take two or three."""
LOOK = 30.0
"""Seconds for a container to look at a store that answers, on a machine that is starting a whole class."""
AGAIN = 5.0
"""Seconds between looks at a store that is away."""
_GONE = ("source path does not exist", "no such file or directory")
_NO_CLIENT = ("no such device", "unknown filesystem type")
"""What a kernel says of a kind of file system that it does not know: ENODEV of mount(2)."""
_UNMOUNTABLE = (*_GONE, "error while mounting volume", "failed to mount local volume", "not connected", "stale file")


@dataclass(frozen=True, slots=True)
class Away:
    """That the store does not answer on a node."""

    since: float
    """Monotonic seconds."""
    evidence: tuple[str, ...] = ()


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
    is_cluster: bool = False
    """Whether a directory must be told from one of the same name that is not mounted."""
    _marker: str = ""
    _away: dict[str, Away] = field(default_factory=dict, repr=False)
    """By node; one machine is the node of no name."""
    _looking: dict[str, asyncio.Task[None]] = field(default_factory=dict, repr=False)
    _left: set[asyncio.Task[Any]] = field(default_factory=set, repr=False)

    @property
    def is_away(self) -> bool:
        """Whether it is known not to answer somewhere."""
        return bool(self._away)

    def away_nodes(self) -> frozenset[str]:
        """Nodes on which no server could have its home now."""
        return frozenset(self._away)

    async def prepare(self, nodes: Iterable[str]) -> None:
        """Look at the store on every node, before somebody's start is sent there."""
        if self.course.homes.is_shared and self.is_cluster:
            await asyncio.gather(*(self._answers(node) for node in nodes))

    async def marker(self) -> str:
        """The shared directory's marker, by which it is told from an empty folder of a node; empty on one machine.

        Raises FirstbellError where the directory cannot be read on the hub's own node.
        """
        if not (self.is_cluster and self.course.homes.directory):
            return ""
        if not self._marker:
            result = await self.engine.run(mark_helper(self.course, self.image), deadline=self.look)
            if result.exit_code:
                where = self.course.homes.store
                raise HomeMissing("the directory of homes cannot be marked", where=where, evidence=result.lines)
            self._marker = json.loads(result.stdout)["marker"]
        return self._marker

    async def within(self, user: str, node: str, start: Coroutine[Any, Any, T]) -> T:
        """The outcome of a start that needs the store.

        Raises HomeMissing, in bounded time, where the store does not answer or the user's folder is gone; a start that
        hangs in it is then left to its own deadlines.
        """
        if not self.course.homes.is_shared:
            return await start
        if node in self._away:
            start.close()
            raise self._error(node)
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
            raise self._error(node)
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
            return self._error(node)
        if any(words in said for words in _GONE):
            place = home_directory(self.course, user) if self.course.homes.directory else home_volume(self.course, user)
            return missing(f"the folder {place if isinstance(place, str) else place.options['device']} is gone", user)
        return error

    async def _answers(self, node: str) -> bool:
        """Whether the store answers on a node, by a container that looks; one at a time, until it does."""
        looking = self._looking.get(node)
        if looking is None or looking.done():
            looking = self._looking[node] = asyncio.ensure_future(self._until_it_answers(node))
        until = time.monotonic() + self.look + 1
        while not looking.done() and node not in self._away and time.monotonic() < until:
            await asyncio.wait({looking}, timeout=0.1)
        return node not in self._away

    async def _until_it_answers(self, node: str) -> None:
        while True:
            look = asyncio.ensure_future(self._look(node))
            await asyncio.wait({look}, timeout=self.look)
            if not look.done():
                self._is_away(node)
            # One that hangs is waited for: more of them would hang as well, and each holds a container.
            if await look:
                break
            await asyncio.sleep(self.again)
        if was := self._away.pop(node, None):
            seconds = time.monotonic() - was.since
            LOG.warning("The homes in %s can be had again%s, after %.0f s", self.course.homes.store, _on(node), seconds)

    async def _look(self, node: str) -> bool:
        try:
            await self._way(node)
            spec = look_helper(self.course, self.image, node=node, marker=await self.marker())
            result = await self.engine.run(spec, deadline=self.look * 4)
        except EngineUnavailable:
            return node not in self._away  # says nothing about the store
        except (FirstbellError, OSError, TimeoutError) as error:
            self._is_away(node, getattr(error, "evidence", ()))
            return False
        if result.exit_code:
            self._is_away(node, result.lines)
        return result.exit_code == 0

    async def _way(self, node: str) -> None:
        if volume := store_volume(self.course, node):
            await self.engine.ensure_volume(volume)

    def _is_away(self, node: str, evidence: tuple[str, ...] = ()) -> None:
        if node not in self._away:
            LOG.warning(
                "The homes in %s cannot be had%s; starts fail until they can%s",
                self.course.homes.store,
                _on(node),
                "".join(f"\n  {line}" for line in evidence[-3:]),
            )
            self._away[node] = Away(time.monotonic(), tuple(evidence)[-3:])

    def _error(self, node: str) -> HomeMissing:
        away = self._away.get(node)
        if away and any(words in line.lower() for line in away.evidence for words in _NO_CLIENT):
            return HomeMissing(
                f"{node or 'this machine'} cannot mount the place where everybody's files are, "
                f"{self.course.homes.store}: its kernel knows no such file system",
                where=self.course.homes.store,
                next_step=f"Who runs the course installs its client{_on(node)}: for NFS, apt-get install nfs-common. "
                "It is looked at all the time.",
                evidence=away.evidence,
            )
        return HomeMissing(
            f"the place where everybody's files are, {self.course.homes.store}, does not answer{_on(node)} now",
            where=self.course.homes.store,
            next_step="Nothing is lost. Try again in some minutes: it is looked at all the time.",
            evidence=away.evidence if away else (),
        )

    def _leave(self, task: asyncio.Task[Any]) -> None:
        """Let it end by itself, and nobody miss its error."""
        self._left.add(task)

        def forget(ended: asyncio.Task[Any]) -> None:
            self._left.discard(ended)
            if not ended.cancelled():
                ended.exception()

        task.add_done_callback(forget)


def _on(node: str) -> str:
    return f" on {node}" if node else ""


def missing(what: str, user: str) -> HomeMissing:
    """The error of a home that must be there and is not."""
    return HomeMissing(
        what,
        next_step=f"Restore it with `firstbell homes import {user}`, or, if it was deleted on purpose, let this person "
        f"begin anew with `firstbell homes delete {user}`.",
    )
