"""Databases that are written while they are backed up."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

from firstbell.backup import restic
from firstbell.backup.databases import COPIES, copy_databases, put_back, remove_copies
from tests.support.restic import Vault, needs_restic


def make(path: Path, rows: int, mode: str = "wal") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, m INTEGER)")
        db.executemany("INSERT INTO t (m) VALUES (?)", [(n,) for n in range(rows)])
        db.commit()


def rows(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [m for (m,) in db.execute("SELECT m FROM t ORDER BY n")]


def test_what_is_written_meanwhile_is_whole(tmp_path: Path) -> None:
    """A copy has all that was committed before, of what came later a beginning without gaps, and is sound."""
    path, ended = tmp_path / "book.sqlite", threading.Event()
    make(path, 2000)

    def write() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as db:
            number = 2000
            while not ended.is_set():
                db.execute("INSERT INTO t (m) VALUES (?)", (number,))
                db.commit()
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            least = len(rows(path))
            copy_databases(tmp_path)
            copied = rows(tmp_path / COPIES / "book.sqlite")
            assert copied == list(range(len(copied))) and len(copied) >= least
    finally:
        ended.set()
        writer.join()


def test_every_database_is_found_and_nothing_else(tmp_path: Path) -> None:
    """By what is in it, whatever it is called; links, other files and what somebody handed in stay as they are."""
    make(tmp_path / "a.sqlite", 3)
    make(tmp_path / "gradebook.db", 4, "delete")
    make(tmp_path / "handins" / "hw1" / "mine.sqlite", 4, "delete")
    (tmp_path / "notes.sqlite").write_text("no database")
    (tmp_path / "link.sqlite").symlink_to("a.sqlite")
    copied = copy_databases(tmp_path)
    copies = sorted(str(p.relative_to(tmp_path / COPIES)) for p in (tmp_path / COPIES).rglob("*") if p.is_file())
    assert copies == ["a.sqlite", "gradebook.db"]
    assert tmp_path / "a.sqlite-wal" in copied.left_out and tmp_path / "notes.sqlite" not in copied.left_out
    assert copied.damaged == () and copy_databases(tmp_path) == copied
    remove_copies(tmp_path)
    assert not (tmp_path / COPIES).exists() and rows(tmp_path / "a.sqlite") == [0, 1, 2]


def test_a_damaged_database_is_said_to_be(tmp_path: Path) -> None:
    """It is named, has no copy, and is not left out; the others have theirs."""
    path = tmp_path / "a.sqlite"
    make(path, 3000, "delete")
    make(tmp_path / "b.sqlite", 3)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])
    copied = copy_databases(tmp_path)
    assert copied.damaged == (path,) and path not in copied.left_out and tmp_path / "b.sqlite" in copied.left_out
    assert [copy.name for copy in (tmp_path / COPIES).iterdir()] == ["b.sqlite"]


@needs_restic
def test_a_folder_comes_back_with_its_databases(tmp_path: Path) -> None:
    """Backed up by restic while a log of writes is open, restored elsewhere, put back twice as after a kill."""
    root, vault = tmp_path / "state", Vault(tmp_path / "vault")
    make(root / "people.sqlite", 5)
    (root / "cookie.secret").write_bytes(b"\x01" * 32)
    vault.done(restic.INIT)
    with contextlib.closing(sqlite3.connect(root / "people.sqlite")) as open_one:
        open_one.execute("INSERT INTO t (m) VALUES (5)")
        open_one.commit()
        left_out = [str(path) for path in copy_databases(root).left_out]
        tags = ["course=demo", "kind=state"]
        made = restic.summary(vault.run(restic.backup("demo", tags, [str(root)], left_out)), vault.storage)
    vault.done(restic.restore(made.snapshot, str(tmp_path / "back")))
    back = Path(f"{tmp_path}/back{root}")
    assert not (back / "people.sqlite").exists()
    (back / "people.sqlite-wal").write_bytes(b"of another file")
    assert put_back(back) == (back / "people.sqlite",)
    assert put_back(back) == ()
    assert rows(back / "people.sqlite") == [0, 1, 2, 3, 4, 5]
    assert sorted(path.name for path in back.iterdir()) == ["cookie.secret", "people.sqlite"]
