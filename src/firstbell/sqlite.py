"""Opening our SQLite files, and one transaction of them, for whoever has one: record, books, people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def setting_up(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """What is done first with a file; where that fails it is let go, so that it can be put aside."""
    try:
        yield db
    except BaseException:
        db.close()
        raise


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or nothing; `db` is in autocommit mode. Begins by waiting for whoever else writes."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise
