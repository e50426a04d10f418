"""The file of the hub's record of people: its tables, how it is opened, and why it could not be."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from firstbell.errors import FirstbellError
from firstbell.sqlite import transaction

_VERSION = 2
_ROOM = 1024**2
"""Bytes free below which a failure is the full disk's."""

_SCHEMA = """
CREATE TABLE invitations (
  digest BLOB PRIMARY KEY, username TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, used REAL
);
CREATE INDEX invitations_by_user ON invitations (username);
CREATE TABLE passwords (username TEXT PRIMARY KEY, hash TEXT NOT NULL, set_at REAL NOT NULL);
CREATE TABLE seats (
  number INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE, salt BLOB NOT NULL,
  generation INTEGER NOT NULL, code_digest BLOB NOT NULL UNIQUE, created REAL NOT NULL, last_seen REAL NOT NULL
);
CREATE TABLE homes (username TEXT PRIMARY KEY, created REAL NOT NULL, node TEXT NOT NULL DEFAULT '');
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, verb TEXT NOT NULL, username TEXT NOT NULL);
CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_NODES_OF_HOMES = "ALTER TABLE homes ADD COLUMN node TEXT NOT NULL DEFAULT ''"
"""From version 1 to 2."""


class PeopleTables:
    """The open file. `OperationalError` (disk full, locked) reaches the caller."""

    def __init__(self, path: Path, key: bytes, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. Raises FirstbellError if it is damaged or of a later version."""
        self.path = path
        self.key = key
        self._now = now
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=5, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA secure_delete = ON")  # whoever is erased is in no free page either
        [(verdict,)] = db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise FirstbellError(
                f"the record of people is of version {version}, this Firstbell knows {_VERSION}",
                where=str(self.path),
                next_step="Use the Firstbell that wrote it, or a later one.",
            )
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        if version == 1:
            _to_second_version(db)
        return db

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db)


def _to_second_version(db: sqlite3.Connection) -> None:
    """Hub and `control` may open an old file in the same moment: whoever comes second finds nothing left to do."""
    with transaction(db):
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version == 1:
            db.execute(_NODES_OF_HOMES)
            db.execute(f"PRAGMA user_version = {_VERSION}")


def _unusable(path: Path, error: sqlite3.DatabaseError) -> FirstbellError:
    """Why the file could not be opened: on a full disk SQLite calls that an I/O error, and nothing is damaged."""
    if shutil.disk_usage(path.parent).free < _ROOM:
        return FirstbellError(
            f"the record of people cannot be opened, as its disk is full ({error})",
            where=str(path),
            next_step="Make room on the Docker Engine's disk (docker system df), then run: firstbell up",
        )
    return FirstbellError(
        f"the record of people is damaged ({error})",
        where=str(path),
        next_step="Put back the copy of your last backup, then run: firstbell up",
    )
