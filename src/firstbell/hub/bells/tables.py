"""The file of the bells' book: its tables, its transactions, and what happens where it cannot be written."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from firstbell.hub.state.damaged import put_aside
from firstbell.sqlite import setting_up, transaction

LOG = logging.getLogger("firstbell.bells")

FILE = "bells.sqlite"

_VERSION = 1
_SCHEMA = """
CREATE TABLE rings (
  key TEXT PRIMARY KEY, at REAL NOT NULL, ends REAL NOT NULL, occurrence TEXT NOT NULL, state TEXT NOT NULL,
  began REAL NOT NULL, wanted INTEGER NOT NULL DEFAULT 0, done REAL
);
CREATE TABLE people (
  key TEXT NOT NULL, username TEXT NOT NULL, ready REAL, taken REAL, PRIMARY KEY (key, username)
) WITHOUT ROWID;
CREATE TABLE places (
  username TEXT PRIMARY KEY, state TEXT NOT NULL, until REAL NOT NULL, kernels INTEGER NOT NULL, seat INTEGER NOT NULL,
  grace REAL NOT NULL,
  tried REAL NOT NULL DEFAULT 0, ready REAL, failures INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE kept (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


Answer = TypeVar("Answer")
Given = ParamSpec("Given")


def never_in_the_way(otherwise: Answer) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """For what the hub asks while somebody logs in or starts: a full disk must not keep them from it."""

    def guarded(method: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @wraps(method)
        def careful(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            try:
                return method(*args, **kwargs)
            except sqlite3.Error as error:
                LOG.warning("The bells' book cannot be used at present: %s", error)
                return otherwise

        return careful

    return guarded


def _opened(path: Path) -> sqlite3.Connection:
    with setting_up(sqlite3.connect(path, timeout=5, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        with transaction(db):
            _make_tables(db)
        return db


def _make_tables(db: sqlite3.Connection) -> None:
    """Those of this version; what another version noted lives no longer than a bell and is let go."""
    [version] = db.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return
    drop = "".join(f"DROP TABLE IF EXISTS {table};" for table in ("rings", "people", "places", "kept"))
    for statement in f"{drop}{_SCHEMA}PRAGMA user_version = {_VERSION}".split(";"):
        db.execute(statement)


class BellTables:
    """The open file. Every method is one short transaction; sqlite3.OperationalError (disk full) reaches the caller."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file; a damaged one is put aside, as nothing in it outlives a bell."""
        self.now = now
        self._version = -1
        self._waiting: frozenset[str] = frozenset()
        try:
            self.db = _opened(path)
        except sqlite3.OperationalError:
            raise  # a full disk, a lock: nothing is damaged
        except sqlite3.DatabaseError as error:
            LOG.error("The bells' book is damaged (%s); it begins anew", error)  # noqa: TRY400 - told in words
            put_aside(path, path.with_suffix(".damaged"))
            self.db = _opened(path)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with transaction(self.db) as db:
            yield db
        self._version = -1

    def keep(self, name: str, value: float | str) -> None:
        """Remember a number, or a text."""
        self.db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))

    def kept(self, name: str, otherwise: float) -> float:
        """The number remembered under that name."""
        row = self.db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else otherwise

    def kept_text(self, name: str) -> str:
        """The text remembered under that name; empty if there is none."""
        row = self.db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""
