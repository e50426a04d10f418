"""`python3 -m firstbell.hub.person_control`: what a hub keeps of one person, told and taken out."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.errors import CourseFileError
from firstbell.hub import person_control
from firstbell.hub.control_io import HubFiles
from firstbell.hub.idle.kept_until import NAME, KeptUntil
from firstbell.hub.memory import limits
from firstbell.hub.people.book import open_store
from firstbell.hub.person_control import PersonControl
from firstbell.hub.records.acts import FILE, ActsBook
from firstbell.hub.records.chain import LOGIN
from firstbell.hub.records.check import check
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan.memory_limit import Grant


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_control, "_SETTLES", 0.0)


@pytest.fixture
def control(tmp_path: Path) -> PersonControl:
    course = Course(name="class", access={"login": "roster", "staff": ("boss",)}, server={"image": "i"}, coursework={})
    public, secrets = to_wire(course)
    made = runtime_to_wire(Runtime(course="class", image="i", network="n", gateway="127.9.0.1", cpus=2))
    files = {name: tmp_path / f"{name}.json" for name in ("course", "secrets", "runtime")}
    for path, data in zip(files.values(), (public, secrets, made), strict=True):
        path.write_bytes(data)
    (tmp_path / "roster.csv").write_text("username,name,email\nada,Ada Lovelace,ada@example.org\n")
    store = open_store(tmp_path)
    store.record_home("ada")
    store.set_password_hash("ada", "hash-of-ada")
    store.invite("bob")
    store.keep("some table", '{"ada": 5, "bob": 6}')
    store.keep("moving-home:ada", "x")
    store.keep("moving-home:ida", "y")
    with closing(Record(tmp_path / FILE)) as record:
        record.add(New(LOGIN, "roster", "ada", "ada"), New(LOGIN, "roster", "bob", "bob"))
    book = ActsBook(tmp_path / FILE)
    book.act("grace", "message", "section A", "Ada Lovelace is first")
    book.tell("grace", ["ada", "bob"], "well done")
    book.close()
    (tmp_path / "coursework").mkdir()
    return PersonControl(
        HubFiles(tmp_path, files["course"], files["secrets"], files["runtime"]), tmp_path / "coursework"
    )


def facts(path: Path) -> list[Any]:
    with closing(Record(path)) as record:
        assert check(record.db).found == ()
        return [(line.kind, line.who, line.whom, line.result) for line in record.lines()]


def test_what_is_kept_is_told_and_that_it_was_is_on_record(control: PersonControl, tmp_path: Path) -> None:
    """Account, entries and messages of that person alone; the export has its result, also a bad one."""
    told = control.answer("kept", ["ada"])
    assert told["account"]["email"] == "ada@example.org" and told["account"]["has_password"]
    assert "hash-of-ada" not in str(told)
    assert [line["kind"] for line in told["record"]] == ["login", "export"]
    assert [(one["whom"], one["words"]) for one in told["messages"]] == [("ada", "well done")]
    control.answer("export-ended", [str(told["entry"]), "failed: no room"])
    assert facts(tmp_path / FILE)[0] == ("export", "command line", "ada", "failed: no room")


def test_who_is_still_of_the_course_is_not_erased(control: PersonControl) -> None:
    """On the roster or staff of the course file: refused with the command that does all of it."""
    for user in ("ada", "boss"):
        with pytest.raises(CourseFileError, match=user) as error:
            control.answer("erase", [user])
        assert error.value.next_step == f"firstbell people erase {user}"
    assert control.answer("count", ["ada"])["is_listed"]


def test_an_erasure_takes_everything_and_leaves_a_whole_record(control: PersonControl, tmp_path: Path) -> None:
    """Their password, home's entry, messages and names, also those in words; nobody else's. Twice is as once."""
    (tmp_path / "roster.csv").write_text("username,name\nbob,Bob\n")
    limits.give(open_store(tmp_path), "ada", Grant(2**31, time.time() + 60))
    KeptUntil(open_store(tmp_path)).note("ada", 60)
    told = control.answer("erase", ["ada", "Ada Lovelace"])
    assert told["record"] == {"entries": 1, "words": 1, "messages": 1}
    assert control.answer("erase", ["ada", "Ada Lovelace"])["record"] == {"entries": 0, "words": 0, "messages": 0}
    found = facts(tmp_path / FILE)
    assert found[0][:2] == ("erased", "command line")
    assert ("login", "bob", "bob", "") in found and ("login", "person 1", "person 1", "") in found
    store = open_store(tmp_path)
    assert "ada" not in f"{store.kept(limits.KEPT)} {store.kept(NAME)}"
    assert not store.has_home("ada") and store.password_hash("ada") is None and set(store.invitations()) == {"bob"}
    assert store.kept("some table") == '{"bob": 6}'
    assert (store.kept("moving-home:ada"), store.kept("moving-home:ida")) == (None, "y")
    for path in tmp_path.glob("*.sqlite*"):
        content = path.read_bytes().lower()
        assert b"lovelace" not in content and b"hash-of-ada" not in content, path
    assert not control.answer("count", ["ada"])["is_known"]


def test_of_nobody_nothing_is_known(control: PersonControl) -> None:
    """A name that was never there."""
    assert not control.answer("count", ["nobody"])["is_known"]
