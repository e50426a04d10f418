"""The file of the coursework's book: its tables and its transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from firstbell.errors import FirstbellError
from firstbell.sqlite import transaction

_VERSION = 1
SYNCHRONOUS = "FULL"
"""SQLite's word for how sure a commit is: on the disk when it returns, as what is in it are facts that exist nowhere
else."""
_SCHEMA = """
CREATE TABLE assignments (
  name TEXT PRIMARY KEY, source TEXT NOT NULL DEFAULT '', due REAL, has_notebooks INTEGER NOT NULL DEFAULT 0,
  made TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, assignment TEXT NOT NULL, user TEXT NOT NULL, at REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'due', words TEXT NOT NULL DEFAULT '', asked REAL NOT NULL, by TEXT NOT NULL,
  batch TEXT NOT NULL, ended REAL, receipt TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
  after REAL NOT NULL DEFAULT 0
);
CREATE INDEX tasks_open ON tasks (state, at) WHERE state IN ('due', 'doing');
CREATE INDEX tasks_of ON tasks (assignment, user, kind);
CREATE INDEX tasks_batch ON tasks (batch);
CREATE TABLE extensions (
  assignment TEXT NOT NULL, user TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (assignment, user)
) WITHOUT ROWID;
CREATE TABLE handins (
  id TEXT PRIMARY KEY, receipt TEXT NOT NULL, assignment TEXT NOT NULL, user TEXT NOT NULL, kind TEXT NOT NULL,
  time REAL NOT NULL, taken REAL NOT NULL, by TEXT NOT NULL, files INTEGER NOT NULL, size INTEGER NOT NULL,
  refused INTEGER NOT NULL, content TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX handins_of ON handins (assignment, user);
"""
_OPENINGS = """
CREATE TABLE IF NOT EXISTS openings (
  assignment TEXT NOT NULL, user TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (assignment, user)
) WITHOUT ROWID
"""
"""Came later, and earlier versions can do without it: so the file's version stays."""


class Tables:
    """The open file. Every method of the book is one transaction; sqlite3.OperationalError reaches the caller."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. Raises FirstbellError for a damaged one, or one of a later version."""
        self.now = now
        self.path = path
        self.db = sqlite3.connect(path, timeout=15, isolation_level=None)
        try:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
            self._make()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise FirstbellError(
                f"the book of the coursework is damaged: {error}",
                where=str(path),
                next_step="Restore the volume from its backup; the hand-ins beside it are whole files with manifests.",
            ) from error

    def _make(self) -> None:
        with self.writing() as db:
            [version] = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise FirstbellError(
                    "the book of the coursework was written by a later version of Firstbell",
                    where=str(self.path),
                    next_step="Use that version.",
                )
            if version == 0:
                for statement in f"{_SCHEMA}PRAGMA user_version = {_VERSION}".split(";"):
                    db.execute(statement)
            db.execute(_OPENINGS)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """All of it or nothing. Begins by waiting for whoever else writes."""
        return transaction(self.db)

    @property
    def version(self) -> int:
        """Changes whenever another connection has written."""
        [version] = self.db.execute("PRAGMA data_version").fetchone()
        return int(version)
