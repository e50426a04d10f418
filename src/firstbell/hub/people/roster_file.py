"""The roster as the hub has it: what was last good stays until something good comes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from firstbell.config.roster import parse_roster
from firstbell.errors import CourseFileError
from firstbell.hub.people.book import PeopleStore
from firstbell.model.roster import Roster

LOG = logging.getLogger("firstbell.people")

SETTLED = 1.0
"""Seconds for which a changed file must look the same before it is read: it may be half-written."""

_Signature = tuple[int, int, int]


class RosterFile:
    """The roster as it was last good. A file that is missing or malformed changes nothing and is logged once.

    The last good one is also kept in the store, so that it holds over a restart of the hub.
    """

    def __init__(self, path: Path, store: PeopleStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._read: _Signature | None = None
        self._seen: tuple[_Signature, float] | None = None
        self._roster = self._kept()

    def current(self) -> Roster:
        """The roster; looks at the file (one `stat`) and reads it if it has changed."""
        signature = self._signature()
        if signature is not None and signature != self._read and self._is_settled(signature):
            self._read = signature
            self._take()
        return self._roster or Roster()

    @property
    def is_known(self) -> bool:
        """Whether there has ever been a good roster; nobody may be removed before."""
        return self._roster is not None

    def _signature(self) -> _Signature | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _is_settled(self, signature: _Signature) -> bool:
        now = self._clock()
        if self._read is None and not self.is_known:
            return True
        if self._seen is None or self._seen[0] != signature:
            self._seen = (signature, now)
        return now - self._seen[1] >= SETTLED

    def _take(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8-sig")
            if not text.strip():
                raise CourseFileError("the roster is empty", where=str(self._path))
            self._roster = parse_roster(text, str(self._path))
        except (OSError, UnicodeDecodeError, CourseFileError) as error:
            LOG.error("The roster is kept as it was, the new one cannot be used: %s", error)  # noqa: TRY400
        else:
            self._store.keep("roster", text)

    def _kept(self) -> Roster | None:
        text = self._store.kept("roster")
        return parse_roster(text, "the last good roster") if text else None
