"""What is known of the course's backups without asking their storage: one SQLite file in the hub's state.

The keeper of the backups (`vault.py`) writes it; pages and figures read it. Nothing in it is needed: lost, it is made
anew from what the storage has. What is to be done is in another file (`backup/orders.py`).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.state.damaged import put_aside
from firstbell.model.backup import Kind, Snapshot, Subject
from firstbell.model.backup_report import BackupReport
from firstbell.sqlite import setting_up, transaction

FILE = "snapshots.sqlite"
_REPORT = "report"
_WEEK = 7 * 86400.0
_KEEP_SIZES = 400 * 86400.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (
  id TEXT PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, user TEXT NOT NULL, is_whole INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS snapshots_by_user ON snapshots (user, at);
CREATE TABLE IF NOT EXISTS noted (number INTEGER PRIMARY KEY, entry INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sizes (at REAL PRIMARY KEY, stored INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A home as it was."""

    id: str
    at: float
    """Unix seconds."""
    is_whole: bool
    """Whether every file could be read."""


class VaultBook:
    """The file, for one thread. Every method is one short transaction; sqlite3.Error (disk full) reaches the caller."""

    def __init__(self, state: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes it; a damaged one is made anew."""
        self._now = now
        path = state / FILE
        try:
            self._db = _opened(path)
        except sqlite3.OperationalError:
            raise  # a full disk, a lock: nothing is damaged
        except sqlite3.DatabaseError:
            put_aside(path, path.with_suffix(".damaged"))
            self._db = _opened(path)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def report(self) -> BackupReport | None:
        """How the backups are; None before the keeper's first look."""
        plain = self._kept(_REPORT)
        return BackupReport.read(json.loads(plain)) if plain else None

    def tell(self, report: BackupReport) -> None:
        """That is how they are."""
        self._keep(_REPORT, json.dumps(report.plain()))

    def note(self, order: int, entry: int) -> None:
        """An order of somebody's for their own files is that entry of the hub's record."""
        self._db.execute("INSERT OR REPLACE INTO noted VALUES (?, ?)", (order, entry))

    def noted(self, order: int) -> int | None:
        """The entry of an order, once: the record gets one result."""
        found = self._db.execute("DELETE FROM noted WHERE number = ? RETURNING entry", (order,)).fetchone()
        return int(found[0]) if found else None

    def know(self, snapshots: Iterable[Snapshot]) -> None:
        """These are all that the storage has of the course."""
        rows = [(one.id, one.time, one.subject.kind.value, one.subject.user, one.is_whole) for one in snapshots]
        with transaction(self._db) as db:
            db.execute("DELETE FROM snapshots")
            db.executemany("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)", rows)

    def earlier(self, user: str) -> tuple[Earlier, ...]:
        """Somebody's home as it was, newest first."""
        query = "SELECT id, at, is_whole FROM snapshots WHERE kind = ? AND user = ? ORDER BY at DESC, id"
        return tuple(Earlier(*row) for row in self._db.execute(query, (Kind.HOME.value, user)))

    def snapshot(self, user: str, identity: str) -> Earlier | None:
        """One of somebody's; None of another's, and of what is no more."""
        query = "SELECT id, at, is_whole FROM snapshots WHERE kind = ? AND user = ? AND id = ?"
        found = self._db.execute(query, (Kind.HOME.value, user, identity)).fetchone()
        return Earlier(*found) if found else None

    def subjects(self) -> dict[Subject, float]:
        """Of what there is a whole snapshot, with the time of the last one."""
        query = "SELECT kind, user, max(at) FROM snapshots WHERE is_whole GROUP BY kind, user"
        return {Subject(Kind(kind), user): at for kind, user, at in self._db.execute(query)}

    def weigh(self, stored: int) -> int | None:
        """So many bytes are in the storage; how many more than a week ago, None where that is not known."""
        now = self._now()
        with transaction(self._db) as db:
            db.execute("DELETE FROM sizes WHERE at < ? OR at > ?", (now - _KEEP_SIZES, now))
            db.execute("INSERT OR REPLACE INTO sizes VALUES (?, ?)", (now, stored))
            query = "SELECT stored FROM sizes WHERE at <= ? ORDER BY at DESC LIMIT 1"
            before = db.execute(query, (now - _WEEK,)).fetchone()
        return stored - int(before[0]) if before else None

    def _kept(self, name: str) -> str:
        found: tuple[str] | None = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return found[0] if found else ""

    def _keep(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))


def _opened(path: Path) -> sqlite3.Connection:
    with setting_up(sqlite3.connect(path, timeout=15, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        return db


def report_of(state: Path) -> BackupReport | None:
    """How the backups are, read beside the keeper; None where nobody knows."""
    if not (state / FILE).exists():
        return None
    try:
        book = VaultBook(state)
    except sqlite3.Error:
        return None
    try:
        return book.report()
    except (sqlite3.Error, ValueError, TypeError):
        return None
    finally:
        book.close()
