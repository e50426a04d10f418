"""A run of backups: what is due, one after the other, marked once it is whole; then what has had its time goes.

Killed anywhere, the next call goes on: each step looks at what the storage has, and nothing else is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import tzinfo
from time import time
from typing import Any

from firstbell.backup import restic
from firstbell.backup.containers import Helpers
from firstbell.backup.failure import BackupFailed, Trouble, trouble_of
from firstbell.backup.restic import Arguments
from firstbell.backup.retention import outdated
from firstbell.backup.schedule import are_left_over, due
from firstbell.backup.tags import WHOLE
from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing
from firstbell.model.backup import Keep, Kind, Snapshot, Subject, Summary
from firstbell.model.observed import RunResult

_MARK_AFTER = 8
"""Snapshots; so many are done again after a kill, and cost little, as nothing of them is stored twice."""
_LONG = 24 * 3600.0
"""Seconds for one container; a first backup of big homes over a slow line takes hours."""
_EVERYBODYS = {
    Trouble.WRONG_PASSWORD,
    Trouble.NO_REPOSITORY,
    Trouble.NO_DIRECTORY,
    Trouble.NO_SPACE,
    Trouble.FORBIDDEN,
    Trouble.NETWORK,
    Trouble.DAMAGED,
    Trouble.LOCKED,
    Trouble.NO_RESTIC,
}
"""What no other subject would fare better with."""
_MACHINES = {Trouble.NO_REPOSITORY, Trouble.NO_DIRECTORY, Trouble.FORBIDDEN, Trouble.NETWORK, Trouble.NO_RESTIC}
"""Of these what another machine may fare better with."""

EngineOf = Callable[[Subject], Awaitable[Engine]]
"""The daemon that can have the subject. Raises FirstbellError where it is away."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one subject in a run."""

    subject: Subject
    summary: Summary | None = None
    """None where there is no snapshot."""
    unreadable: tuple[str, ...] = ()
    """Paths that could not be read, and databases that are damaged."""
    error: str = ""
    """Why there is no snapshot, in words."""

    @property
    def is_good(self) -> bool:
        """Whether everything of the subject is in the storage."""
        return self.summary is not None and self.summary.is_whole


Told = Callable[[Outcome], None]
"""Hears of each subject as it is done."""


class Keeper:
    """Works on one course's backups, one container at a time; nobody else of this machine may meanwhile."""

    def __init__(
        self,
        helpers: Helpers,
        engine: Engine,
        engine_of: EngineOf | None = None,
        clock: Callable[[], float] = time,
        nobody_at_work: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """`nobody_at_work`: whether the engine shows no helper of the course's backups, when a lock is in the way."""
        self._helpers = helpers
        self._engine = engine
        self._engine_of = engine_of
        self._clock = clock
        self._nobody_at_work = nobody_at_work
        self._storage = helpers.storage

    async def snapshots(self) -> tuple[Snapshot, ...]:
        """Of all courses in the storage, the oldest first. Raises BackupFailed."""
        return restic.snapshots(await self.ask(restic.SNAPSHOTS), self._storage)

    async def prepare(self) -> bool:
        """Make the storage if there is none; whether it was made. Raises BackupFailed, as for a wrong password."""
        try:
            await self._done(restic.SNAPSHOTS)
        except BackupFailed as error:
            if error.trouble is not Trouble.NO_REPOSITORY:
                raise
            await self._done(restic.INIT)
            return True
        return False

    async def run(self, run: str, subjects: Iterable[Subject], told: Told) -> tuple[Outcome, ...]:
        """Back up what the run does not have yet.

        A subject that cannot be had is an outcome of its own, also where its node does not answer. Raises BackupFailed
        for what is wrong with the storage, and EngineUnavailable; what was done until then is marked, as far as that
        can still be done.
        """
        outcomes: list[Outcome] = []
        unmarked: list[str] = []
        try:
            for subject in due(subjects, await self._ours(), run):
                outcome = await self._one(subject, run)
                outcomes.append(outcome)
                told(outcome)
                if outcome.summary and outcome.is_good:
                    unmarked.append(outcome.summary.snapshot)
                if len(unmarked) >= _MARK_AFTER:
                    await self._mark(unmarked)
        except BackupFailed as error:
            if error.trouble is not Trouble.WRONG_PASSWORD:
                await self._try_to_mark(unmarked)
            raise
        await self._mark(unmarked)
        return tuple(outcomes)

    async def thin(self, keep: Keep, zone: tzinfo) -> int:
        """Forget what has had its time; how many. Raises BackupFailed."""
        gone = outdated(await self._ours(), keep, zone)
        if gone:
            await self._done(restic.forget(one.id for one in gone))
        return len(gone)

    async def check(self) -> None:
        """Read and compare every byte in the storage. Raises BackupFailed with what is wrong."""
        restic.checked(await self.ask(restic.CHECK), self._storage)
        for key in restic.ids(await self.ask(restic.LIST_KEYS), self._storage):
            restic.check_key(key, await self.ask(restic.cat_key(key)), self._storage)

    async def restore(self, snapshot: Snapshot, paths: tuple[str, ...] = ()) -> None:
        """Write a snapshot, or paths of it, into what it is of: a home, or a volume of the hub that nobody uses.

        It must exist. What is there of the same name is replaced, what else is there stays. Raises BackupFailed.
        """
        subject = snapshot.subject
        engine = await self._place(subject)
        result = await engine.run(self._helpers.restore(snapshot.id, subject, paths), deadline=_LONG)
        restic.done(result, self._storage)
        if subject.kind is not Kind.HOME:
            await self._databases("put-back", subject, engine)

    async def drill(self, snapshot: Snapshot) -> int:
        """Restore a snapshot where it is nobody's and compare every byte; how many files. Raises BackupFailed."""
        spec = self._helpers.drill(snapshot.id, snapshot.subject)
        return restic.drilled(await self._engine.run(spec, deadline=_LONG), self._storage)

    async def _one(self, subject: Subject, run: str) -> Outcome:
        engine = self._engine
        try:
            engine = await self._place(subject)
            if subject.kind is Kind.HOME:
                return await self._snapshot(subject, run, engine)
            return await self._with_databases(subject, run, engine)
        except BackupFailed as error:
            is_elsewhere = engine is not self._engine
            if error.trouble in _EVERYBODYS - (_MACHINES if is_elsewhere else set()):
                raise
            return Outcome(subject, error=f"on the home's own node, {error}" if is_elsewhere else str(error))
        except EngineUnavailable as error:
            if engine is self._engine:
                raise
            # A node of a cluster; all others answer, and their people are not to wait for it.
            return Outcome(subject, error=str(error))
        except FirstbellError as error:
            return Outcome(subject, error=str(error))

    async def _with_databases(self, subject: Subject, run: str, engine: Engine) -> Outcome:
        """A volume of the hub: databases by their copies, those that are damaged as they are, and said."""
        copied = await self._databases("copy", subject, engine)
        outcome = await self._snapshot(subject, run, engine, tuple(copied["left_out"]))
        await self._databases("remove", subject, engine)
        if outcome.summary and copied["damaged"]:
            summary = replace(outcome.summary, is_whole=False)
            return replace(outcome, summary=summary, unreadable=(*outcome.unreadable, *copied["damaged"]))
        return outcome

    async def _snapshot(self, subject: Subject, run: str, engine: Engine, excludes: tuple[str, ...] = ()) -> Outcome:
        result = await engine.run(self._helpers.back_up(subject, run, excludes), deadline=_LONG)
        return Outcome(subject, restic.summary(result, self._storage), restic.unreadable(result))

    async def _databases(self, verb: str, subject: Subject, engine: Engine) -> Any:
        result = await engine.run(self._helpers.databases(verb, subject), deadline=_LONG)
        if result.exit_code != 0:
            raise FirstbellError(
                f"the databases of the hub's {subject.kind} could not be copied ({verb})",
                next_step="Is the disk full? `df -h` shows it.",
                evidence=result.lines,
            )
        return json.loads(result.stdout) if result.stdout.strip() else None

    async def _place(self, subject: Subject) -> Engine:
        return await self._engine_of(subject) if self._engine_of else self._engine

    async def _ours(self) -> tuple[Snapshot, ...]:
        course = self._helpers.course.name
        return tuple(one for one in await self.snapshots() if one.course == course)

    async def _mark(self, unmarked: list[str]) -> None:
        if unmarked:
            await self._done(restic.add_tag(WHOLE, unmarked))
            unmarked.clear()

    async def _try_to_mark(self, unmarked: list[str]) -> None:
        try:
            await self._mark(unmarked)
        except FirstbellError:
            # The run's own failure is what is to be told; these are made again, at little cost.
            unmarked.clear()

    async def _done(self, arguments: Arguments) -> RunResult:
        return restic.done(await self.ask(arguments), self._storage)

    async def ask(self, arguments: Arguments) -> RunResult:
        """What restic answers. Locks that a kill of ours left do not count: even to look is locked by some of them."""
        result = await self._restic(arguments)
        if result.exit_code == 0 or trouble_of(result) is not Trouble.LOCKED:
            return result
        names = restic.ids(await self._restic(restic.LIST_LOCKS), self._storage)
        locks = [restic.lock(name, await self._restic(restic.cat_lock(name)), self._storage) for name in names]
        alone = await self._nobody_at_work() if self._nobody_at_work else False
        if locks and not are_left_over(locks, self._helpers.machine, self._clock(), nobody_at_work=alone):
            return result
        if locks:
            restic.done(await self._restic(restic.UNLOCK_ALL), self._storage)
        return await self._restic(arguments)

    async def _restic(self, arguments: Arguments) -> RunResult:
        try:
            return await self._engine.run(self._helpers.ask(arguments), deadline=_LONG)
        except HomeMissing as error:
            # Nothing else is mounted there.
            raise BackupFailed(Trouble.NO_DIRECTORY, self._storage.to) from error
