"""What an upgrade saves, and what going back brings of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from firstbell.errors import FirstbellError
from firstbell.hub.records.acts import FILE, ActsBook
from firstbell.hub.saved import Folders, compare, fill, listed, note, prune, put_back, save

FACTS = '{"kind": "before", "version": "1"}'
A, B, C = "20260101T000000Z", "20260102T000000Z", "20260103T000000Z"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "saved", tmp_path / "state", tmp_path / "coursework")
    for folder in (made.saved, made.state, made.coursework):
        folder.mkdir()
    do(made.state / "people.sqlite", "CREATE TABLE people (name TEXT)", "INSERT INTO people VALUES ('ada')")
    do(made.coursework / "book.sqlite", "CREATE TABLE handins (id TEXT)")
    (made.state / "people.key").write_bytes(b"key")
    (made.coursework / "handins").mkdir()
    return made


def do(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            db.execute(statement)
        db.commit()


def names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [name for (name,) in db.execute("SELECT name FROM people ORDER BY name")]


def test_a_trial_gets_what_was_saved(folders: Folders, tmp_path: Path):
    """A saved state is whole while somebody writes, and a trial's folder has all of it and nothing beside."""
    with closing(sqlite3.connect(folders.state / "people.sqlite")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO people VALUES ('half-way')")
        save(folders, A, FACTS)
        writer.rollback()
    trial = tmp_path / "trial"
    trial.mkdir()
    fill(folders, A, trial)
    assert names(trial / "people.sqlite") == ["ada"]
    assert {path.name for path in trial.iterdir()} == {"people.sqlite", "people.key"}


def test_what_an_older_hub_can_read_stays(folders: Folders):
    """Going back leaves alone what was written since where the tables are the same, or whole tables have come."""
    save(folders, A, FACTS)
    do(folders.state / "people.sqlite", "INSERT INTO people VALUES ('ben')", "CREATE TABLE fresh (x)")
    do(folders.coursework / "book.sqlite", "INSERT INTO handins VALUES ('1')")
    assert compare(folders, A) == [
        {"file": "people.sqlite", "is_readable": True, "rows": {"people": 1}},
        {"file": "book.sqlite", "is_readable": True, "rows": {"handins": 1}},
    ]
    assert put_back(folders, A) == []
    assert names(folders.state / "people.sqlite") == ["ada", "ben"]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE people ADD COLUMN age INTEGER",
        "PRAGMA user_version = 7",
        "CREATE TRIGGER t BEFORE DELETE ON people BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE UNIQUE INDEX one ON people (name)",
        "DROP TABLE people",
    ],
)
def test_what_an_older_hub_cannot_read_comes_back(folders: Folders, change: str):
    """A database that the newer version has altered is as it was, and twice is the same as once."""
    save(folders, A, FACTS)
    do(folders.state / "people.sqlite", "INSERT INTO people VALUES ('ben')", change)
    assert [found["is_readable"] for found in compare(folders, A)] == [False, True]
    assert put_back(folders, A) == ["people.sqlite"]
    assert put_back(folders, A) == []
    assert names(folders.state / "people.sqlite") == ["ada"]


def test_a_revision_of_jupyterhub_counts(folders: Folders):
    """A migration that has only changed rows is known by the revision that it wrote down."""
    path = folders.state / "jupyterhub.sqlite"
    do(path, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('a')")
    save(folders, A, FACTS)
    do(path, "UPDATE alembic_version SET version_num = 'b'")
    assert put_back(folders, A) == ["jupyterhub.sqlite"]


def test_a_damaged_database_stops_it(folders: Folders):
    """What is damaged is not saved as if it were sound, and what was saved under that name before stays."""
    save(folders, A, FACTS)
    path = folders.state / "people.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO people VALUES (?)", [("x" * 500,)] * 500)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(FirstbellError, match="cannot be saved"):
        save(folders, A, FACTS)
    assert [facts["id"] for facts in listed(folders)] == [A]
    assert names(folders.saved / A / "state" / "people.sqlite") == ["ada"]


def test_it_is_in_the_record(folders: Folders):
    """An upgrade is an entry of the hub's record, by the command line, and done."""
    note(folders, "upgrade", "from Firstbell 1 to 2")
    [act] = ActsBook(folders.state / FILE).acts()
    assert (act.who, act.what, act.words, act.result) == ("command line", "upgrade", "from Firstbell 1 to 2", "done")


def test_only_the_newest_stay(folders: Folders):
    """Of each kind so many are kept, and what a kill has left goes."""
    for identity in (A, B, C):
        save(folders, identity, FACTS)
    save(folders, f"{A}-after", '{"kind": "after"}')
    (folders.saved / f".{A}.part").mkdir()
    assert sorted(prune(folders, 2)) == [f".{A}.part", A]
    assert [facts["id"] for facts in listed(folders)] == [f"{A}-after", B, C]


def test_a_trial_knows_of_no_server(folders: Folders, tmp_path: Path):
    """In the copy nobody's server runs, so that a hub on trial ends none; in the original everything stays."""
    path = folders.state / "jupyterhub.sqlite"
    do(
        path,
        "CREATE TABLE servers (id INTEGER)",
        "CREATE TABLE spawners (server_id INTEGER, state TEXT)",
        "INSERT INTO servers VALUES (1)",
        'INSERT INTO spawners VALUES (1, \'{"containers": ["firstbell-c-server-ada"]}\')',
    )
    save(folders, A, FACTS)
    trial = tmp_path / "trial"
    trial.mkdir()
    fill(folders, A, trial)
    for file, expected in (
        (trial / "jupyterhub.sqlite", (None, "{}")),
        (path, (1, '{"containers": ["firstbell-c-server-ada"]}')),
    ):
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("SELECT * FROM spawners").fetchone() == expected
