"""A transaction of our SQLite files: all of it or nothing, also on a full disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firstbell.coursework.tables import Tables
from firstbell.sqlite import transaction


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE told (words TEXT)")
        yield db


def told(db: sqlite3.Connection) -> list[str]:
    return [words for (words,) in db.execute("SELECT words FROM told")]


def test_a_failure_leaves_nothing_behind_and_the_next_goes_on(db: sqlite3.Connection) -> None:
    """Whatever is raised inside undoes all, and the file takes the next."""
    with pytest.raises(ZeroDivisionError), transaction(db):
        db.execute("INSERT INTO told VALUES ('half')")
        raise ZeroDivisionError
    with transaction(db):
        db.execute("INSERT INTO told VALUES ('whole')")
    assert told(db) == ["whole"]


def test_the_first_error_is_told_where_sqlite_has_ended_the_transaction(db: sqlite3.Connection) -> None:
    """The cause is named, not that there is nothing to roll back."""
    db.execute("CREATE TABLE strict (words TEXT NOT NULL)")
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"), transaction(db):
        db.execute("INSERT INTO told VALUES ('half')")
        db.execute("INSERT OR ROLLBACK INTO strict VALUES (NULL)")
    assert told(db) == []


def test_a_full_disk_is_named_as_that_in_the_book_of_coursework(tmp_path: Path) -> None:
    """Hand-ins fail with the disk as the cause, and work again once there is room."""
    with closing(Tables(tmp_path / "book.sqlite")) as tables:
        [pages] = tables.db.execute("PRAGMA page_count").fetchone()
        tables.db.execute(f"PRAGMA max_page_count = {pages}")
        many = [(f"a{n}", "x" * 4000) for n in range(50)]
        with pytest.raises(sqlite3.OperationalError, match="full"), tables.writing() as db:
            db.executemany("INSERT INTO assignments (name, source) VALUES (?, ?)", many)
        tables.db.execute("PRAGMA max_page_count = 100000")
        with tables.writing() as db:
            db.executemany("INSERT INTO assignments (name, source) VALUES (?, ?)", many)
        assert tables.db.execute("SELECT count(*) FROM assignments").fetchone() == (50,)
