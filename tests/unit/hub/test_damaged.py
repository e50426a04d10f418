"""A damaged SQLite file is put aside whole, and what comes in its place is only what is in its own file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from firstbell.backup.databases import COMPANIONS
from firstbell.hub.state.damaged import put_aside


def make(path: Path, said: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (said TEXT)")
        db.execute("INSERT INTO t VALUES (?)", (said,))


def cut(path: Path, said: str) -> None:
    """A file whose writer was killed: the last row is in its log only."""
    whole = path.with_name(f"whole-{path.name}")
    make(whole, "first")
    with closing(sqlite3.connect(whole)) as db:
        db.execute("INSERT INTO t VALUES (?)", (said,))
        db.commit()
        for end in ("", "-wal"):
            shutil.copy(f"{whole}{end}", f"{path}{end}")


def said(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [row for (row,) in db.execute("SELECT said FROM t")]


def test_its_log_goes_with_it(tmp_path: Path) -> None:
    """A new file beside an old log would have the old rows; aside, the old file has them with its log."""
    path, aside = tmp_path / "a.sqlite", tmp_path / "a.sqlite.damaged"
    cut(path, "old")
    put_aside(path, aside)
    make(tmp_path / "new", "new")
    (tmp_path / "new").rename(path)
    assert said(path) == ["new"]
    assert said(aside) == ["first", "old"]


def test_what_was_aside_before_leaves_no_log(tmp_path: Path) -> None:
    """The one put aside now has none, and is not to be read with that of the one before."""
    path, aside = tmp_path / "a.sqlite", tmp_path / "a.sqlite.damaged"
    cut(aside, "before")
    make(path, "now")
    put_aside(path, aside)
    assert said(aside) == ["now"]
    assert not path.exists() and not [end for end in COMPANIONS if Path(f"{path}{end}").exists()]
