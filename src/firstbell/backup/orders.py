"""What is to be done with the backups, and what came of it: rows of a SQLite file on the hub's state.

Commands and pages write orders, so does the hub's service when something is due; the service does one after the other.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import time
from typing import Any

FILE = "backups.sqlite"
"""On the hub's state."""
_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    wish TEXT NOT NULL,
    by TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'due',
    asked REAL NOT NULL,
    began REAL,
    ended REAL,
    done INTEGER NOT NULL DEFAULT 0,
    "all" INTEGER NOT NULL DEFAULT 0,
    words TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '{}'
);
"""
_KEPT = 1000
"""Orders; the last of each kind and state stays in any case."""


class What(StrEnum):
    """The kinds of orders, those first that somebody waits for."""

    RESTORE = "restore"
    BACKUP = "backup"
    CHECK = "check"
    DRILL = "drill"


class State(StrEnum):
    """How far an order is."""

    DUE = "due"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """One of them. Times are Unix seconds."""

    id: int
    kind: What
    wish: Mapping[str, Any] = field(default_factory=dict)
    """Of a restore: `RestoreWish` as plain values."""
    by: str = ""
    """A user's name; "command line"; empty where the course asks for it."""
    state: State = State.DUE
    asked: float = 0.0
    began: float | None = None
    ended: float | None = None
    done: int = 0
    all: int = 0
    words: str = ""
    """What is at work; in the end what came of it, or why not."""
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in {State.DUE, State.DOING}


class Orders:
    """The book of orders; several processes may have it open."""

    def __init__(self, path: Path, clock: Callable[[], float] = time) -> None:
        self._path = path
        self._clock = clock
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)

    def add(self, kind: What, wish: Mapping[str, Any] | None = None, by: str = "") -> Order:
        """Order it. What is to be done for the whole course is not ordered twice: the open one is given.

        But one that is under way for somebody else has passed homes already, as they were before this was asked.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            open_one = db.execute(
                "SELECT id FROM orders "
                "WHERE kind = ? AND (state = 'due' OR state = 'doing' AND ? IN ('', by)) ORDER BY id",
                (kind, by),
            ).fetchone()
            if open_one and kind is not What.RESTORE:
                return self._find(db, open_one[0])
            made = db.execute(
                "INSERT INTO orders (kind, wish, by, asked) VALUES (?, ?, ?, ?)",
                (kind, json.dumps(dict(wish or {})), by, self._clock()),
            )
            self._forget(db)
            return self._find(db, made.lastrowid or 0)

    def take(self) -> Order | None:
        """The next one that is due, from now on being done; None where there is none."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute(
                "SELECT id FROM orders WHERE state = 'due' ORDER BY kind != 'restore', id LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE orders SET state = 'doing', began = ? WHERE id = ?", (self._clock(), row[0]))
            return self._find(db, row[0])

    def again(self) -> None:
        """What a killed service was doing is due again."""
        with self._open() as db:
            db.execute("UPDATE orders SET state = 'due' WHERE state = 'doing'")

    def tell(self, order: int, done: int, all_: int, words: str) -> None:
        """How far it is."""
        with self._open() as db:
            db.execute('UPDATE orders SET done = ?, "all" = ?, words = ? WHERE id = ?', (done, all_, words, order))

    def end(self, order: int, state: State, words: str, result: Mapping[str, Any] | None = None) -> None:
        """It is over."""
        with self._open() as db:
            db.execute(
                "UPDATE orders SET state = ?, words = ?, result = ?, ended = ? WHERE id = ?",
                (state, words, json.dumps(dict(result or {})), self._clock(), order),
            )

    def find(self, order: int) -> Order | None:
        """The order of that number."""
        with self._open() as db:
            row = db.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone()
            return _order(row) if row else None

    def last(self, kind: What, *states: State) -> Order | None:
        """The last of a kind, in one of these states where any are named."""
        with self._open() as db:
            rows = db.execute("SELECT * FROM orders WHERE kind = ? ORDER BY id DESC", (kind,))
            return next((one for row in rows if (one := _order(row)).state in (states or tuple(State))), None)

    def open_ones(self) -> tuple[Order, ...]:
        """What is due or being done, the oldest first."""
        with self._open() as db:
            rows = db.execute("SELECT * FROM orders WHERE state IN ('due', 'doing') ORDER BY id")
            return tuple(_order(row) for row in rows)

    def of_user(self, user: str, most: int = 20) -> tuple[Order, ...]:
        """The restores of somebody's files, the latest first."""
        with self._open() as db:
            rows = db.execute("SELECT * FROM orders WHERE kind = 'restore' ORDER BY id DESC LIMIT 500")
            found = (one for row in rows if (one := _order(row)).wish.get("user") == user)
            return tuple(found)[:most]

    def _find(self, db: sqlite3.Connection, order: int) -> Order:
        return _order(db.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone())

    @staticmethod
    def _forget(db: sqlite3.Connection) -> None:
        db.execute(
            "DELETE FROM orders WHERE state IN ('done', 'failed') AND id NOT IN "
            "(SELECT id FROM orders ORDER BY id DESC LIMIT ?) "
            "AND id NOT IN (SELECT max(id) FROM orders GROUP BY kind, state)",
            (_KEPT,),
        )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            if db.in_transaction:
                db.execute("COMMIT")


def _order(row: sqlite3.Row) -> Order:
    plain = dict(row)
    return Order(
        **plain
        | {
            "kind": What(plain["kind"]),
            "state": State(plain["state"]),
            "wish": json.loads(plain["wish"]),
            "result": json.loads(plain["result"]),
        }
    )
