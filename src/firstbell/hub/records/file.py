"""The file of the hub's record: its tables, their guards, and how an older file becomes one.

| table | what is in it |
|---|---|
| `entries` | what happened, each with the hash of the entry before it and its own |
| `people`, `names` | who is meant by a number: the seal, which stays, and the name, which can be erased |
| `said` | the words of an entry, which can be erased |
| `ends` | where the chain begins and ends: what retention took away, and the last entry |
| `messages`, `readings` | what people are told, and have read |

Guards are triggers, so they hold for whoever opens the file: rows are neither changed nor deleted, and an entry can
only follow the last one. Retention and erasure lift them inside their own transaction.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firstbell.hub.records.chain import BEGINNING, BEGUN, RESULT, STAFF
from firstbell.hub.records.write import New, append
from firstbell.hub.state.damaged import put_aside
from firstbell.sqlite import setting_up, transaction

LOG = logging.getLogger("firstbell.acts")

FILE = "acts.sqlite"
VERSION = 2
_PATIENCE = 5.0
"""Seconds for which a writer waits for the others."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, who INTEGER, whom INTEGER,
  of INTEGER, words BLOB, before BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_at ON entries (at);
CREATE INDEX IF NOT EXISTS entries_by_who ON entries (who);
CREATE INDEX IF NOT EXISTS entries_by_whom ON entries (whom);
CREATE UNIQUE INDEX IF NOT EXISTS entries_results ON entries (of) WHERE kind = 'result';
CREATE TABLE IF NOT EXISTS people (number INTEGER PRIMARY KEY AUTOINCREMENT, seal BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS said (entry INTEGER PRIMARY KEY, words TEXT NOT NULL, salt BLOB NOT NULL);
CREATE VIEW IF NOT EXISTS meant AS
  SELECT who AS number FROM entries WHERE who NOT NULL UNION SELECT whom FROM entries WHERE whom NOT NULL;
CREATE TABLE IF NOT EXISTS ends (
  one INTEGER PRIMARY KEY CHECK (one = 1), gone INTEGER NOT NULL, gone_hash BLOB NOT NULL,
  last INTEGER NOT NULL, last_hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, whom TEXT NOT NULL, words TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_whom ON messages (whom);
CREATE TABLE IF NOT EXISTS readings (message INTEGER PRIMARY KEY REFERENCES messages (id), at REAL NOT NULL)
"""
_KEPT = ("entries", "people", "names", "said", "messages", "readings")
_STANDS = "SELECT RAISE(ABORT, 'what was done stands')"
GUARDS = {
    f"{table}_{change}": f"CREATE TRIGGER {table}_{change} BEFORE {change} ON {table} BEGIN {_STANDS}; END"
    for table in _KEPT
    for change in ("UPDATE", "DELETE")
} | {
    "ends_DELETE": f"CREATE TRIGGER ends_DELETE BEFORE DELETE ON ends BEGIN {_STANDS}; END",
    "ends_UPDATE": "CREATE TRIGGER ends_UPDATE BEFORE UPDATE ON ends WHEN NEW.gone IS NOT OLD.gone"
    " OR NEW.gone_hash IS NOT OLD.gone_hash OR NOT EXISTS"
    " (SELECT 1 FROM entries WHERE id = NEW.last AND hash = NEW.last_hash AND id = OLD.last + 1)"
    " BEGIN SELECT RAISE(ABORT, 'what was done stands'); END",
    "entries_INSERT": "CREATE TRIGGER entries_INSERT BEFORE INSERT ON entries WHEN NOT EXISTS"
    " (SELECT 1 FROM ends WHERE NEW.id = last + 1 AND NEW.before = last_hash)"
    " BEGIN SELECT RAISE(ABORT, 'an entry follows the last one'); END",
    "entries_INSERTED": "CREATE TRIGGER entries_INSERTED AFTER INSERT ON entries"
    " BEGIN UPDATE ends SET last = NEW.id, last_hash = NEW.hash; END",
}
"""By name. A check of the record compares them with those of the file."""


def opened(path: Path, now: Callable[[], float] = time.time) -> sqlite3.Connection:
    """Open or make the file; a damaged one is kept beside it and a new one begun, which says so.

    Raises sqlite3.OperationalError: a full disk, a lock; nothing is damaged then.
    """
    try:
        return _opened(path, now, "")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.damaged-{int(now())}")
        LOG.error("The record is damaged (%s); it is kept as %s", error, aside)  # noqa: TRY400 - told in words
        put_aside(path, aside)
        return _opened(path, now, f"the record before was damaged; it is kept as {aside.name}")


def _opened(path: Path, now: Callable[[], float], why: str) -> sqlite3.Connection:
    with setting_up(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as db:
        _set_up(db)
        if _is_older(db):
            with transaction(db):
                if _is_older(db):  # nobody else was faster
                    _begin(db, now, why)
        return db


def _is_older(db: sqlite3.Connection) -> bool:
    """Whether a hub wrote it that knew no chain: also one that was gone back to for a while."""
    if db.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        return True
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'acts'").fetchone() is not None


def _set_up(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # what was done must not be forgotten with the machine's power
    db.execute("PRAGMA secure_delete = ON")  # what is taken out leaves nothing in free pages


def _begin(db: sqlite3.Connection, now: Callable[[], float], why: str) -> None:
    """Tables, guards and the first entry; what an older hub wrote becomes entries after it."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for name in [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        db.execute(f'DROP TRIGGER "{name}"')
    for statement in _SCHEMA.split(";"):
        db.execute(statement)
    db.execute("INSERT OR IGNORE INTO ends VALUES (1, 0, ?1, 0, ?1)", (BEGINNING,))
    for guard in GUARDS.values():
        db.execute(guard)
    if "acts" in tables:
        _take_over(db, now)
    else:
        append(db, [New(BEGUN, words=why)], now())
    db.execute(f"PRAGMA user_version = {VERSION}")


def _take_over(db: sqlite3.Connection, now: Callable[[], float]) -> None:
    """Entries for the acts and results of a hub whose record was not chained yet, in the order of their numbers."""
    acts = db.execute("SELECT id, at, who, what, whom, words FROM acts ORDER BY id").fetchall()
    results = db.execute("SELECT act, at, result FROM results ORDER BY at, act").fetchall()
    append(db, [New(BEGUN, words=f"{len(acts)} acts of the record before, which was not chained")], now())
    news = [New(STAFF, what, who, whom, words, at=at) for _, at, who, what, whom, words in acts]
    numbers = dict(zip((act for act, *_ in acts), append(db, news, now()), strict=True))
    ends = [New(RESULT, words=result, of=numbers[act], at=at) for act, at, result in results if act in numbers]
    append(db, ends, now())
    db.execute("DROP TABLE results")
    db.execute("DROP TABLE acts")


@contextmanager
def unguarded(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction in which rows may go. Whoever is killed in it has changed nothing, and the guards stand."""
    lifted = [
        name for name in GUARDS if not name.startswith("entries_INSERT")
    ]  # entries follow each other all the same
    with transaction(db):
        for name in lifted:
            db.execute(f"DROP TRIGGER IF EXISTS {name}")
        yield db
        for name in lifted:
            db.execute(GUARDS[name])
