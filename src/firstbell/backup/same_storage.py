"""Homes of a cluster by daemons that have the hub's own storage: a directory need not be the same on each node."""

from __future__ import annotations

from firstbell.backup import restic
from firstbell.backup.containers import Helpers
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.homes import Homes, Place
from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, HomeAway, HomeMissing
from firstbell.model.backup import Kind, Subject

_SECONDS = 300.0


class SameStorage:
    """Looks once at each node and remembers what it found: make one for each run, as mounts change."""

    def __init__(self, helpers: Helpers, homes: Homes) -> None:
        self._helpers = helpers
        self._homes = homes
        self._own: Place | None = None
        self._found: dict[str, str] = {}

    async def engine_of(self, subject: Subject) -> Engine:
        """The daemon that has the subject.

        Raises BackupFailed where its node has another storage, HomeAway where that does not answer, else as `Homes`.
        """
        place = await self._homes.place_of(subject)
        if self._helpers.storage.directory and place.node and subject.kind is Kind.HOME:
            own = self._own = self._own or await self._homes.place_of(Subject(Kind.STATE))
            if place.node != own.node and await self._there(place) != await self._identity(own):
                raise BackupFailed(Trouble.ANOTHER_DIRECTORY, f"{self._helpers.storage.to} on {place.node}")
        return place.engine

    async def _there(self, place: Place) -> str:
        try:
            return await self._identity(place)
        except EngineUnavailable as error:
            # All other nodes answer.
            raise HomeAway(error.what, where=place.node, next_step=error.next_step) from error

    async def _identity(self, place: Place) -> str:
        """Which storage the node has; empty where that is none that we can open."""
        if place.node not in self._found:
            try:
                result = await place.engine.run(self._helpers.ask(restic.CONFIG), deadline=_SECONDS)
                self._found[place.node] = restic.identity(result, self._helpers.storage)
            except (BackupFailed, HomeMissing):
                self._found[place.node] = ""
        return self._found[place.node]
