"""Logins, starts and ends of servers, written into the hub's record beside what the hub does.

Nobody waits for it: a note goes into memory, and a thread of its own writes what has come together, in one
transaction twice a second at most. What cannot be written (a full disk) is tried again; should it become too much, the
record says how much is missing. A hub that is killed loses what came in the last half second; that a server ended in
it is then noted by the next one.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from firstbell.hub.records.chain import END, LOGIN, LOGOUT, LOST, START
from firstbell.hub.records.days import EVERY, Days
from firstbell.hub.records.endings import UNSEEN, Ending
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.hub.rehearsals.book import RehearsalBook

LOG = logging.getLogger("firstbell.acts")

MOST = 5000
"""Notes that wait in memory at most."""
PAUSE = 0.5
"""Seconds in which notes come together."""
AGAIN = 5.0
"""Seconds until a file that could not be written is tried again."""
_AT_ONCE = 200
_LONGEST = 300
_CLOSES = 5.0


class Usage:
    """Notes of one hub. Until `begin` they wait; without it, nothing is ever written."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._waiting: deque[New] = deque()
        self._lost = 0
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._rehearsal: RehearsalBook | None = None
        self._found: frozenset[str] | None = None

    def found(self, users: Iterable[str]) -> None:
        """Before `begin`: those alone had a server as this hub came, or one whose end it has noted.

        Of whoever else has a start in the record and no end, the hub before this one was killed before it wrote it.
        """
        self._found = frozenset(users)

    def begin(self, path: Path, keep_days: int) -> None:
        """Write into that file from now on, and take out what is older than so many days."""
        self._rehearsal = RehearsalBook(path.parent)
        self._thread = threading.Thread(target=self._run, args=(path, keep_days), name="usage", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, if that can be done soon."""
        self._end.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSES)

    def login(self, user: str, how: str) -> None:
        """Somebody was let in, by that login."""
        self.note(New(LOGIN, how, user, user))

    def logout(self, user: str) -> None:
        """Somebody has left."""
        self.note(New(LOGOUT, "", user, user))

    def start(self, user: str, who: str, what: str, words: str) -> None:
        """A start has come to its end: `ready`, or why not."""
        self.note(New(START, what, who, user, words[:_LONGEST]))

    def end(self, user: str, ending: Ending) -> None:
        """A server has ended."""
        self.note(New(END, ending.what, ending.who, user, ending.words[:_LONGEST]))

    def note(self, new: New) -> None:
        """Never waits and never fails."""
        if len(self._waiting) >= MOST:
            self._lost += 1
            return
        self._waiting.append(replace(new, at=self._now()))
        self._wake.set()

    def _run(self, path: Path, keep_days: int) -> None:
        record, told, days = None, "", Days(keep_days, self._now)
        while True:
            pause = PAUSE
            try:
                record = record or Record(path, self._now)
                days.look_if_due(record)
                self._write(record)
                told = ""
            except (sqlite3.Error, OSError) as error:
                if str(error) != told:
                    LOG.error("The record could not be written, trying again: %s", error)  # noqa: TRY400
                told, pause = str(error), AGAIN
            if self._end.is_set():
                break
            if not told:
                self._wake.wait(EVERY)
            self._end.wait(pause)
            self._wake.clear()
        if record is not None:
            record.close()

    def _write(self, record: Record) -> None:
        """What waits now, of all but a rehearsal's people. Raises sqlite3.Error: it then waits on."""
        if self._found is not None:
            lost_ends = [name for name in record.at_work() if name not in self._found]
            record.add(*(New(END, UNSEEN.what, whom=name, words=UNSEEN.words) for name in lost_ends))
            self._found = None
        nobody = set(self._rehearsal.people()) if self._rehearsal and self._waiting else set()
        while self._waiting or self._lost:
            lost = self._lost
            news = [self._waiting[n] for n in range(min(len(self._waiting), _AT_ONCE))]
            missing = [New(LOST, words=f"{lost} entries before this one could not be written")] if lost else []
            try:
                record.add(*(new for new in news if new.whom not in nobody), *missing)
            except (sqlite3.Error, OSError):
                raise
            except Exception:
                LOG.exception("Notes that cannot be written are left out of the record")
                lost = -len(news)
            for _ in news:
                self._waiting.popleft()
            self._lost -= lost
