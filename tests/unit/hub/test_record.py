"""The hub's record: entries that hang together, whoever writes them and whatever happens in between."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.chain import END, LOGIN, LOST, RESULT, STAFF, START, scrubbed
from firstbell.hub.records.check import check
from firstbell.hub.records.file import FILE, GUARDS
from firstbell.hub.records.keep import erase, retire
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New

NEWS = (
    New(LOGIN, "roster", "ada", "ada"),
    New(START, "ready", "ada", "ada", "2.1 s"),
    New(STAFF, "stop", "grace", "bob", "see you"),
    New(RESULT, words="failed: it still runs", of=4),
    New(END, "idle", "idle rule", "ada"),
)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    made = Record(tmp_path / FILE, lambda: 1000.0)
    made.add(*NEWS)
    return made


def tamper(record: Record, *statements: str, guards_back: bool = True) -> None:
    """As somebody does who has the file: guards off, changes, guards on again."""
    db = record.db
    for name in GUARDS:
        db.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        db.execute(statement)
    for guard in GUARDS.values() if guards_back else ():
        db.execute(guard)


def test_a_record_that_was_left_alone_is_whole(record: Record) -> None:
    """Entries, first and last number, and a head by which a later check can be held against this one."""
    found = check(record.db)
    assert found.found == () and (found.entries, found.first, found.last, found.gone) == (6, 1, 6, 0)
    record.add(New(LOGIN, "roster", "bob", "bob"))
    assert check(record.db, f"{found.last}:{found.head}").found == ()


def test_lines_carry_the_results_that_came_later(record: Record) -> None:
    """Newest first, without the entries that are results; of one person, of some kinds."""
    assert [(line.kind, line.what, line.who, line.whom, line.words, line.result) for line in record.lines()] == [
        ("end", "idle", "idle rule", "ada", "", ""),
        ("staff", "stop", "grace", "bob", "see you", "failed: it still runs"),
        ("start", "ready", "ada", "ada", "2.1 s", ""),
        ("login", "roster", "ada", "ada", "", ""),
        ("begun", "", "", "", "", ""),
    ]
    assert [line.kind for line in record.lines(of="ada")] == ["end", "start", "login"]
    assert record.lines(of="eve") == () and record.lines(since=1000.1) == ()
    assert [line.what for line in record.lines(kinds=[STAFF])] == ["stop"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE entries SET at = 1 WHERE id = 3", "entry 3 was changed"),
        ("UPDATE entries SET at = 'noon' WHERE id = 3", "entry 3 was changed"),
        ("UPDATE entries SET kind = 'login' WHERE id = 3", "entry 3 was changed"),
        ("UPDATE entries SET what = 'memory' WHERE id = 6", "entry 6 was changed"),
        ("UPDATE entries SET who = 2 WHERE id = 3", "entry 3 was changed"),
        ("UPDATE entries SET whom = NULL WHERE id = 4", "entry 4 was changed"),
        ("UPDATE entries SET whom = 99 WHERE id = 4", "entry 4 is about somebody who was taken out"),
        ("UPDATE entries SET of = 3 WHERE id = 5", "entry 5 was changed"),
        ("UPDATE entries SET words = NULL WHERE id = 4", "entry 4 was changed"),
        ("UPDATE entries SET hash = zeroblob(32) WHERE id = 4", "entry 4 was changed"),
        ("UPDATE entries SET hash = 7 WHERE id = 6", "entry 6 was changed"),
        ("UPDATE entries SET before = zeroblob(32) WHERE id = 4", "entry 4 does not follow entry 3"),
        ("UPDATE entries SET id = 40 WHERE id = 6", "entries 6 to 39 were taken out"),
        ("DELETE FROM entries WHERE id = 1", "entries 1 to 1 were taken out"),
        ("DELETE FROM entries WHERE id IN (3, 4)", "entries 3 to 4 were taken out"),
        ("DELETE FROM entries WHERE id = 6", "entries after 5 were taken out: the last one was 6"),
        ("DELETE FROM entries", "entries after 0 were taken out: the last one was 6"),
        ("INSERT INTO entries SELECT 7, at, kind, what, who, whom, of, words, hash, hash FROM entries WHERE id = 6",
         "entry 7 was changed"),
        ("INSERT INTO entries SELECT 0, at, kind, what, who, whom, of, words, hash, hash FROM entries WHERE id = 6",
         "entry 0 was changed"),
        ("UPDATE said SET words = 'see me' WHERE entry = 4", "the words of entry 4 were changed"),
        ("UPDATE said SET salt = zeroblob(16) WHERE entry = 4", "the words of entry 4 were changed"),
        ("DELETE FROM said WHERE entry = 4", "the words of entry 4 were taken out"),
        ("INSERT INTO said VALUES (6, 'because', zeroblob(16))", "the words of entry 6 were changed"),
        ("INSERT INTO said VALUES (60, 'because', zeroblob(16))", "words of an entry 60 that is not there"),
        ("UPDATE names SET name = 'eve' WHERE name = 'grace'", "the name of person 2 was changed"),
        ("DELETE FROM names WHERE name = 'grace'", "the name of person 2 was taken out"),
        ("INSERT INTO names VALUES (9, 'eve', zeroblob(16))", "the name of a person 9 who is not there"),
        ("UPDATE people SET seal = zeroblob(32) WHERE number = 2", "the name of person 2 was changed"),
        ("DELETE FROM people WHERE number = 2", "entry 4 is about somebody who was taken out"),
        ("INSERT INTO people VALUES (9, zeroblob(32))", "person 9 was put in: no entry means them"),
        ("UPDATE ends SET last = 5, last_hash = (SELECT hash FROM entries WHERE id = 5)",
         "entries after 6 were taken out: the last one was 5"),
        ("UPDATE ends SET gone = 2, gone_hash = (SELECT hash FROM entries WHERE id = 2)",
         "entries up to 2 were taken out, and no entry says so"),
        ("DELETE FROM ends", "where the chain begins and ends was taken out"),
    ],
)  # fmt: skip
def test_every_tampering_is_found(record: Record, change: str, words: str) -> None:
    """Whatever of the record somebody changes, takes out or puts in is told, with where it is."""
    tamper(record, change)
    assert words in check(record.db).found


@pytest.mark.parametrize("is_older", [False, True])
def test_any_value_and_any_row(record: Record, is_older: bool) -> None:
    """No value can be another and no row missing without being found, also after retention and an erasure."""
    if is_older:
        record.add(New(LOGIN, "roster", "eve", "eve", "it was eve"), New(LOGIN, "roster", "amy", "amy"))
        erase(record, "eve", "command line")
        record.now = lambda: 2000.0
        record.add(New(LOGIN, "roster", "amy", "amy"))
        assert retire(record, 1000.0) == 0 and retire(record, 1000.5) == 9
        erase(record, "amy", "command line")
        assert check(record.db).found == ()
    for table in ("entries", "people", "names", "said", "ends"):
        rows = record.db.execute(f"SELECT rowid, * FROM {table}").fetchall()
        columns = [row[1] for row in record.db.execute(f"PRAGMA table_info({table})")]
        for row in rows:
            for change in (
                f"DELETE FROM {table}",
                *(f"UPDATE {table} SET {name} = ?" for name in columns if name != "one"),
            ):
                for value in (None, 77, 1.5, "x", b"x", bytes(32)) if "?" in change else ("",):
                    assert _is_found(record, f"{change} WHERE rowid = {row[0]}", value), (table, row[0], change, value)


def _is_found(record: Record, change: str, value: object) -> bool:
    """Whether that change of a copy is told; one that changes nothing, or that the file does not take, is none."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    record.db.backup(copy)
    for name in GUARDS:
        copy.execute(f"DROP TRIGGER {name}")
    before = list(copy.iterdump())
    try:
        copy.execute(change, (value,) if "?" in change else ())
    except sqlite3.IntegrityError:
        return True
    is_changed = before != list(copy.iterdump())
    for guard in GUARDS.values():
        copy.execute(guard)
    return bool(check(copy).found) or not is_changed


def test_a_prefix_that_looks_retired_is_found(record: Record) -> None:
    """Taking out the oldest and moving the beginning along is no retention: no entry says so."""
    tamper(
        record,
        "UPDATE ends SET gone = 2, gone_hash = (SELECT hash FROM entries WHERE id = 2)",
        "DELETE FROM entries WHERE id <= 2",
    )
    assert "entries up to 2 were taken out, and no entry says so" in check(record.db).found


def test_an_entry_with_a_hash_of_its_own_breaks_the_next(record: Record) -> None:
    """Who changes an entry and its hash, too, has not changed what the next one was sealed with."""
    tamper(record, "UPDATE entries SET what = 'x', hash = zeroblob(32) WHERE id = 3")
    found = check(record.db).found
    assert "entry 3 was changed" in found and "entry 4 does not follow entry 3" in found


def test_a_record_written_anew_is_found_by_an_older_head(record: Record, tmp_path: Path) -> None:
    """The chain alone cannot know it; the head that somebody wrote down elsewhere does."""
    kept = check(record.db)
    other = Record(tmp_path / "other.sqlite", lambda: 1000.0)
    other.add(*NEWS)
    assert check(other.db).found == ()
    assert check(other.db, f"{kept.last}:{kept.head}").found == (
        "entry 6 is not the one that was there at the earlier check",
    )
    with pytest.raises(ValueError, match="invalid literal"):
        check(other.db, "nonsense")


def test_guards_that_were_taken_off_are_missed(record: Record) -> None:
    """Whoever left the file open to changes is found out before they change anything."""
    tamper(record, guards_back=False)
    assert len(check(record.db).found) == len(GUARDS)


@pytest.mark.parametrize("table", ["entries", "people", "names", "said", "ends", "messages", "readings"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = 0"])
def test_the_file_refuses_changes(record: Record, tmp_path: Path, table: str, change: str) -> None:
    """Whoever opens it: rows are neither changed nor deleted."""
    book = ActsBook(tmp_path / FILE)
    book.tell("grace", ["ada"], "hello")
    book.read("ada", 1)
    columns = {"entries": "at", "people": "seal", "names": "salt", "said": "salt", "ends": "last"}
    with pytest.raises(sqlite3.IntegrityError, match="what was done stands"):
        sqlite3.connect(tmp_path / FILE).execute(change.format(table, columns.get(table, "at")))


def test_the_file_refuses_a_fork(record: Record, tmp_path: Path) -> None:
    """An entry that follows any but the last one is not taken."""
    fork = (
        "INSERT INTO entries SELECT 7, at, kind, what, who, whom, NULL, words, before, hash FROM entries WHERE id = 6"
    )
    with pytest.raises(sqlite3.IntegrityError, match="follows the last one"):
        sqlite3.connect(tmp_path / FILE).execute(fork)


def _write(path: Path, name: str, number: int) -> None:
    record = Record(path)
    for n in range(number):
        record.add(New(LOGIN, "roster", name, f"{name}-{n % 3}", words=f"{n}"), New(END, "idle", "", name))


def test_eight_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    """Processes that open a new file and write into it at once: nothing is lost, nothing forks."""
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write, args=(tmp_path / FILE, f"writer{n}", 25)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 8
    found = check(Record(tmp_path / FILE).db)
    assert found.found == () and found.entries == found.last == 1 + 8 * 25 * 2


_KILLED = """
import sys
from pathlib import Path
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
record = Record(Path(sys.argv[1]))
while True:
    print(record.add(New("login", "", "ada", "ada", "x"), New("end", "", "ada", "ada"))[-1], flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_chain(tmp_path: Path) -> None:
    """At any moment: what was said to be written is there, nothing is half there, and the next goes on."""
    path = tmp_path / FILE
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        found = check(Record(path).db)
        assert found.found == () and found.last >= told[-1] and found.last % 2 == 1


def test_a_crash_inside_a_write_leaves_nothing_of_it(record: Record) -> None:
    """All entries of one call or none, and none that names somebody whom no entry means."""
    with pytest.raises(TypeError):
        record.add(New(LOGIN, "", "eve", "eve"), New(LOGIN, object(), "eve", "eve"))  # type: ignore[arg-type]
    assert record.number("eve") == -1
    found = check(record.db)
    assert found.found == () and found.last == 6


def test_a_full_disk_refuses_whole_entries(record: Record) -> None:
    """What does not fit is not there at all, whoever asked is told, and with room again the chain goes on."""
    record.db.execute("PRAGMA max_page_count = 30")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for n in range(1000):
            record.add(
                New(STAFF, "message", f"user{n}", f"other{n}", "word " * 60), New(LOGIN, "", f"user{n}", f"user{n}")
            )
    full = check(record.db)
    assert full.found == () and full.entries > 6 and full.entries % 2 == 0
    record.db.execute("PRAGMA max_page_count = 100000")
    record.add(New(LOGIN, "", "ada", "ada"))
    assert check(record.db, f"{full.last}:{full.head}").found == ()


@pytest.fixture
def old(tmp_path: Path) -> Callable[[], Path]:
    """Writes a file as the hub made it before entries were chained."""

    def write() -> Path:
        db = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS acts (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL,
              what TEXT NOT NULL, whom TEXT NOT NULL, words TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS results
              (act INTEGER PRIMARY KEY REFERENCES acts (id), at REAL NOT NULL, result TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
              who TEXT NOT NULL, whom TEXT NOT NULL, words TEXT NOT NULL);
            CREATE TRIGGER acts_DELETE BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'what was done stands'); END;
            INSERT INTO acts (at, who, what, whom, words) VALUES (10, 'grace', 'stop', 'ada', ''),
              (20, 'grace', 'message', 'bob', 'hello'), (30, 'command line', 'reset', 'ada', '');
            INSERT INTO results VALUES (1, 11, 'done'), (2, 21, 'failed: no');
            INSERT INTO messages (at, who, whom, words) VALUES (20, 'grace', 'bob', 'hello');
            """
        )
        db.close()
        return tmp_path / FILE

    return write


def test_an_older_file_becomes_a_record(old: Callable[[], Path]) -> None:
    """Acts, results and messages are all there, at their times, and the old tables are gone; opened again, as it is."""
    path = old()
    book = ActsBook(path, lambda: 1000.0)
    assert [(act.at, act.who, act.what, act.whom, act.words, act.result) for act in book.record()] == [
        (30.0, "command line", "reset", "ada", "", ""),
        (20.0, "grace", "message", "bob", "hello", "failed: no"),
        (10.0, "grace", "stop", "ada", "", "done"),
    ]
    assert [message.words for message in book.unread("bob")] == ["hello"]
    record = Record(path)
    found = check(record.db)
    assert found.found == () and found.entries == 6
    assert record.lines()[-1].words == "3 acts of the record before, which was not chained"
    tables = {name for (name,) in record.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not tables & {"acts", "results"}


def test_what_an_older_hub_wrote_in_between_is_taken_over(old: Callable[[], Path], tmp_path: Path) -> None:
    """Who went back to an older Firstbell for a while loses nothing of that while."""
    record = Record(tmp_path / FILE)
    record.add(New(LOGIN, "", "eve", "eve"))
    record.close()
    path = old()
    again = Record(path)
    assert [line.kind for line in again.lines()] == ["staff", "staff", "staff", "begun", "login", "begun"]
    assert check(again.db).found == ()


def test_a_damaged_file_begins_a_record_that_says_so(tmp_path: Path) -> None:
    """The entries that are missing are not missing without a word."""
    (tmp_path / FILE).write_bytes(b"no database at all, and long enough to be looked at" * 100)
    record = Record(tmp_path / FILE, lambda: 1000.0)
    assert record.lines()[0].words == "the record before was damaged; it is kept as acts.sqlite.damaged-1000"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("POST /hub/api/users/ada/tokens", "POST /hub/api/users/ada/tokens"),
        ("token=0123456789abcdef0123456789abcdef is void", "token=… is void"),
        ("hw1, until 2026-11-21 14:05:30", "hw1, until 2026-11-21 14:05:30"),
        ("GET http://10.1.2.3:8888/user/ada failed", "GET http://…:8888/user/ada failed"),
        ("from fe80::1:2:3:4 it came", "from … it came"),
        ("ghp_abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJ1", "…"),
        ("told 220 people of 3:1 and 1.2.3", "told 220 people of 3:1 and 1.2.3"),
    ],
)
def test_neither_tokens_nor_addresses(record: Record, said: str, kept: str) -> None:
    """What looks like a key or where somebody is goes into no entry, whatever an error or a request had in it."""
    assert scrubbed(said) == kept
    record.add(New(STAFF, "change", "grace", "ada", said))
    assert record.lines()[0].words == kept


def test_what_could_not_be_written_is_said(record: Record) -> None:
    """An entry of its own kind is words like any other."""
    record.add(New(LOST, words="3 entries before this one could not be written"))
    assert record.lines()[0].kind == "lost"
