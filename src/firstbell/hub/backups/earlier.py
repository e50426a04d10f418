"""Somebody's files as backups have them, for whoever asks for their own: looked into, and put back beside today's.

Each look is a container that sees the storage and no home. One at a time for each person, few at once: what people look
at must not be felt by those who work. Putting back is an order that the keeper of the backups carries out (`vault.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from firstbell.backup.backups import Backups, RestoreWish
from firstbell.backup.containers import LIST, SHOW
from firstbell.backup.earlier import Folder, Shown, folder_of, shown_of
from firstbell.backup.homes import Homes, Known
from firstbell.backup.orders import FILE, Order, Orders, What
from firstbell.engine.base import Engine
from firstbell.errors import CourseBusy
from firstbell.hub.backup_control import known
from firstbell.hub.backups.earlier_shown import LONGEST
from firstbell.hub.backups.vault_book import Earlier, VaultBook
from firstbell.hub.people.book import open_store
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.backup_report import BackupReport
from firstbell.model.course import Course
from firstbell.model.observed import RunResult

LOG = logging.getLogger("firstbell.backups")
Answer = TypeVar("Answer")

LOOKS = "-earlier"
"""In the names of these helpers."""
PAGE = 200
"""Entries of a folder on one page."""
_LOOK_SECONDS = 120.0
_REMEMBERED = 200
"""Pages of folders: a snapshot never changes."""
_RECENT = 6 * 3600.0
"""Seconds for which it is told what came of putting something back."""


@dataclass(frozen=True, slots=True)
class Putting:
    """Something that somebody has had put back."""

    path: str
    is_open: bool
    is_done: bool
    words: str
    """Its path now, or why it is not there."""


class EarlierFiles:
    """One per hub process of a course with backups."""

    def __init__(self, backups: Backups, state: Path, record: ActsBook) -> None:
        self._backups = backups
        self._helpers = replace(backups.helpers, cpu=1.0, share=0.5, mark=LOOKS)
        self._zone = ZoneInfo(backups.course.time_zone)
        self._state = state
        self._record = record
        self._opened: Orders | None = None
        self._book: VaultBook | None = None
        self._at_once = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        self._turns: dict[str, asyncio.Lock] = {}
        self._folders: OrderedDict[tuple[str, str, int], Folder] = OrderedDict()

    @property
    def book(self) -> VaultBook:
        """What the keeper has written. Raises sqlite3.Error."""
        if self._book is None:
            self._book = VaultBook(self._state)
        return self._book

    @property
    def _orders(self) -> Orders:
        """Opened when it is first needed: a full disk must not keep a hub from starting. Raises sqlite3.Error."""
        if self._opened is None:
            self._opened = Orders(self._state / FILE)
        return self._opened

    def close(self) -> None:
        """Let go of the files."""
        self._record.close()
        if self._book is not None:
            self._book.close()

    def report(self) -> BackupReport | None:
        """How the backups are; None where nobody knows yet."""
        try:
            return self.book.report()
        except (sqlite3.Error, ValueError, TypeError) as error:
            LOG.warning("How the backups are cannot be read: %s", error)
            return None

    def dates(self, user: str) -> tuple[Earlier, ...]:
        """When their home was backed up, newest first."""
        return self.book.earlier(user)

    def snapshot(self, user: str, identity: str) -> Earlier | None:
        """One of theirs; None of anybody else's."""
        return self.book.snapshot(user, identity)

    async def folder(self, user: str, of: Earlier, path: str, begin: int) -> Folder:
        """A page of a folder. Raises NotThere, FirstbellError."""
        key = (of.id, path, begin)
        if key in self._folders:
            self._folders.move_to_end(key)
            return self._folders[key]
        found = await self._looked(user, of, LIST, (path, str(begin), str(PAGE)), folder_of)
        self._folders[key] = found
        while len(self._folders) > _REMEMBERED:
            self._folders.popitem(last=False)
        return found

    async def shown(self, user: str, of: Earlier, path: str) -> Shown:
        """A file's beginning. Raises NotThere, FirstbellError."""
        return await self._looked(user, of, SHOW, (path, str(LONGEST)), shown_of)

    def puttings(self, user: str) -> tuple[Putting, ...]:
        """What they have had put back of late, the latest first."""
        since = self._record.now() - _RECENT
        return tuple(_putting(one) for one in self._orders.of_user(user) if one.by == user and one.asked >= since)

    def put_back(self, user: str, of: Earlier, path: str) -> None:
        """Order it, once it is in the record.

        Raises CourseBusy while something else is being put back for them; sqlite3.Error where it cannot be written.
        """
        if any(one.is_open for one in self._orders.of_user(user)):
            raise CourseBusy("something is being put back for you already", next_step="Wait until it is there.")
        when = datetime.fromtimestamp(of.at, self._zone).strftime("%Y-%m-%d %H:%M")
        entry = self._record.restored(user, f"from the backup of {when}, beside today's files")
        order = self._orders.add(What.RESTORE, asdict(RestoreWish(user, of.id, path=path)), user)
        self.book.note(order.id, entry)

    async def _looked(
        self,
        user: str,
        of: Earlier,
        verb: str,
        words: tuple[str, ...],
        read: Callable[[RunResult, Storage], Answer],
    ) -> Answer:
        engine = await self._backups.homes.engine_of(Subject(Kind.STATE))
        spec = self._helpers.look(verb, of.id, Subject(Kind.HOME, user), *words)
        # One who asks often waits for themselves; nobody else does.
        async with self._turns.setdefault(user, asyncio.Lock()), self._at_once:
            return read(await engine.run(spec, deadline=_LOOK_SECONDS), self._helpers.storage)


def earlier_files(course: Course, image: str, engine: Engine, state: Path) -> EarlierFiles | None:
    """Of that course; None where it has no backups. `image` is the one in which restic works."""
    if course.backup is None:
        return None
    store = open_store(state)

    async def who() -> Known:
        return known(course, store)

    backups = Backups(course, engine, image, Homes(course, engine, image, who))
    return EarlierFiles(backups, state, ActsBook(state / acts.FILE))


def _putting(order: Order) -> Putting:
    place = str(order.result.get("place", ""))
    return Putting(str(order.wish.get("path", "")), order.is_open, bool(place), place or order.words)
