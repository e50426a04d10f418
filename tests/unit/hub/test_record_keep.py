"""What leaves the hub's record: old entries, and an erased name; and that the rest stays checkable."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from pathlib import Path

import pytest

from firstbell.errors import StartFailed
from firstbell.hub.records import keep as record_keep
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.chain import LOGIN, STAFF
from firstbell.hub.records.check import check
from firstbell.hub.records.file import FILE
from firstbell.hub.records.keep import erase, retire
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def record(tmp_path: Path, clock: list[float]) -> Record:
    made = Record(tmp_path / FILE, lambda: clock[0])
    for hour in range(10):
        clock[0] = hour * 3600.0
        made.add(New(LOGIN, "roster", f"person{hour}", f"person{hour}", words=f"hour {hour}"))
    return made


def everything(folder: Path) -> bytes:
    """All bytes of the file and of what SQLite keeps beside it."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def test_retention_keeps_the_chain_checkable(record: Record, clock: list[float], tmp_path: Path) -> None:
    """What is too old is gone with its words and with names that nobody else has; what is left can be checked."""
    before = check(record.db)
    assert retire(record, 5 * 3600.0) == 6
    found = check(record.db, f"{before.last}:{before.head}")
    assert found.found == () and (found.first, found.last, found.gone) == (7, 12, 6)
    assert [line.kind for line in record.lines()] == ["retired", *["login"] * 5]
    assert b"person4" not in everything(tmp_path) and b"hour 4" not in everything(tmp_path)
    assert record.number("person4") == -1 and record.number("person5") > 0
    assert retire(record, 5 * 3600.0) == 0


def test_retention_again_and_again(record: Record, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Day after day, in several steps if it is much, up to a record of which nothing but its end is left."""
    monkeypatch.setattr(record_keep, "AT_ONCE", 2)
    for hour in range(1, 12):
        retire(record, hour * 3600.0)
        assert check(record.db).found == ()
    clock[0] = 90 * 3600.0
    assert retire(record, 80 * 3600.0) > 0
    found = check(record.db)
    assert found.found == () and {line.kind for line in record.lines()} == {"retired"}
    record.add(New(LOGIN, "", "ada", "ada"))
    assert check(record.db).found == ()


def test_retention_takes_messages_along(tmp_path: Path, record: Record, clock: list[float]) -> None:
    """What people were told is kept no longer than that they were."""
    book = ActsBook(tmp_path / FILE, lambda: clock[0])
    book.tell("grace", ["ada"], "old")
    book.read("ada", 1)
    clock[0] += 3600
    book.tell("grace", ["ada"], "new")
    retire(record, clock[0])
    assert [message.words for message in book.unread("ada")] == ["new"]
    assert record.db.execute("SELECT count(*) FROM readings").fetchone() == (0,)


def test_retention_hides_no_tampering(record: Record) -> None:
    """Where entries are missing already nothing else is taken out, so that it can be seen."""
    record.db.execute("DROP TRIGGER entries_DELETE")
    record.db.execute("DELETE FROM entries WHERE id = 3")
    with pytest.raises(sqlite3.DatabaseError, match="--check"):
        retire(record, 5 * 3600.0)
    assert "entries 3 to 3 were taken out" in check(record.db).found


def test_an_erased_name_is_nowhere(tmp_path: Path) -> None:
    """Neither as who nor as whom, nor in words, results or messages, nor in any byte of the files; and all is whole."""
    record, book = Record(tmp_path / FILE), ActsBook(tmp_path / FILE)
    for n in range(300):
        record.add(New(LOGIN, "roster", "ada.lovelace", "ada.lovelace"), New(LOGIN, "roster", f"other{n}", f"other{n}"))
    act = book.act("grace", "change", "ada.lovelace", "DELETE /hub/api/users/ada.lovelace/server")
    book.result(act, "failed: ada.lovelace is not there")
    book.act("grace", "message", "bob", "ask Ada Lovelace")
    book.tell("grace", ["ada.lovelace"], "hello")
    book.tell("ada.lovelace", ["bob"], "hi")
    book.tell("grace", ["bob"], "Ada Lovelace opened your Jupyter")
    book.tell("grace", ["bob"], "stays")
    assert b"ada.lovelace" in everything(tmp_path)
    before = check(record.db)
    erased = erase(record, "ada.lovelace", "command line", ["Ada Lovelace"])
    assert (erased.entries, erased.words, erased.messages) == (301, 3, 3)
    assert b"lovelace" not in everything(tmp_path).lower()
    assert check(record.db, f"{before.last}:{before.head}").found == ()
    done = book.acts(newest=2)
    assert [(one.whom.split()[0], one.words, one.result) for one in done] == [
        ("bob", "erased", ""), ("person", "erased", "erased"),
    ]  # fmt: skip
    assert [message.words for message in book.unread("bob")] == ["stays"]
    assert [line.kind for line in record.lines()][:1] == ["erased"]


def test_who_comes_back_is_somebody_new(tmp_path: Path) -> None:
    """After an erasure the same name is another number, and nothing from before is found by it."""
    record = Record(tmp_path / FILE)
    record.add(New(LOGIN, "", "ada", "ada"))
    erase(record, "ada", "command line")
    record.add(New(LOGIN, "", "ada", "ada"))
    assert len(record.lines(of="ada")) == 1 and check(record.db).found == ()
    erase(record, "ada", "command line")
    assert record.lines(of="ada") == () and check(record.db).found == ()


def test_a_name_inside_a_word_is_not_meant(tmp_path: Path) -> None:
    """Who is called `al` takes nobody's `also` along, but what an address makes of a name is found."""
    record = Record(tmp_path / FILE)
    record.add(
        New(STAFF, "message", "grace", "bob", "also this"),
        New(STAFF, "change", "grace", "x", "POST /hub/api/users/a%40b/server"),
        New(STAFF, "message", "grace", "bob", "Al, too"),
    )
    assert erase(record, "al", "command line").words == 1
    assert erase(record, "a@b", "command line").words == 1
    assert [line.words for line in record.lines(kinds=[STAFF])] == ["erased", "erased", "also this"]
    assert check(record.db).found == ()


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_not_everybody(record: Record, name: str) -> None:
    """An empty name would be in all words."""
    with pytest.raises(ValueError, match="needs a name"):
        erase(record, name, "command line")
    assert record.lines()[0].words == "hour 9"


def test_erasing_nobody_leaves_no_entry(record: Record) -> None:
    """What is not there is not found, and the record does not name them because of it."""
    assert erase(record, "nobody", "command line") == record_keep.Erased(0, 0, 0)
    assert record.number("nobody") == -1 and record.lines()[0].kind == "login"


def test_a_name_taken_out_without_an_erasure_is_found(record: Record) -> None:
    """Only what an entry says was erased may be missing: of another person, or other words, it may not."""
    erase(record, "person1", "command line")
    for statement in (
        "DROP TRIGGER names_DELETE",
        "DROP TRIGGER said_DELETE",
        "DELETE FROM names WHERE name = 'person2'",
        "DELETE FROM said WHERE entry = 9",
    ):
        record.db.execute(statement)
    found = check(record.db).found
    assert "the words of entry 9 were taken out" in found and "the name of person 3 was taken out" in found
    assert not [line for line in found if "person 2 " in line]


def _die(*_: object) -> None:
    os._exit(9)


def _killed_in(path: Path, where: str) -> None:
    setattr(record_keep, where, _die)
    erase(Record(path), "ada", "command line")


def test_an_erasure_killed_anywhere_is_none_or_can_be_finished(tmp_path: Path) -> None:
    """Before its end nothing has changed and the guards stand; after it, the next call overwrites what was deleted."""
    path = tmp_path / FILE
    Record(path).add(New(LOGIN, "", "ada", "ada", "it was ada"))
    for where, there in (("append", 1), ("_overwrite", 0)):
        process = multiprocessing.get_context("fork").Process(target=_killed_in, args=(path, where))
        process.start()
        process.join(30)
        assert process.exitcode == 9
        record = Record(path)
        assert check(record.db).found == () and len(record.lines(of="ada")) == there
        record.close()
    assert erase(Record(path), "ada", "command line") == record_keep.Erased(0, 0, 0)
    assert b"ada" not in everything(tmp_path)


def test_whoever_reads_meanwhile_is_waited_for_and_said(tmp_path: Path) -> None:
    """A reader that does not end keeps the old pages: the names are out, and that there is more to do is told."""
    record, reader = Record(tmp_path / FILE), Record(tmp_path / FILE)
    record.add(New(LOGIN, "", "ada", "ada"))
    record.db.execute("PRAGMA busy_timeout = 50")
    reader.db.execute("BEGIN")
    reader.db.execute("SELECT * FROM names").fetchall()
    with pytest.raises(StartFailed, match="could not be overwritten yet"):
        erase(record, "ada", "command line")
    assert record.number("ada") == -1
    reader.db.execute("ROLLBACK")
    erase(record, "ada", "command line")
    assert b"ada" not in everything(tmp_path)
