"""The book of what staff did: what is in it stays in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from firstbell.hub.records.acts import FILE, ActsBook


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def book(tmp_path: Path, clock: list[float]) -> ActsBook:
    return ActsBook(tmp_path / FILE, lambda: clock[0])


def test_an_act_is_there_before_its_result(book: ActsBook) -> None:
    """Who, when, what, whom stand as soon as something is begun; the result is added once, and the first stands."""
    number = book.act("grace", "stop", "ada")
    [act] = book.acts()
    assert (act.who, act.what, act.whom, act.at, act.result) == ("grace", "stop", "ada", 1000.0, "")
    book.result(number, "done")
    book.result(number, "something else")
    assert book.acts()[0].result == "done"


def test_acts_of_one_person_newest_first(book: ActsBook) -> None:
    """Of everybody, or of those done to one; the last first."""
    for what, whom in (("start", "ada"), ("open", "bob"), ("stop", "ada")):
        book.act("grace", what, whom)
    assert [act.what for act in book.acts("ada")] == ["stop", "start"]
    assert [act.what for act in book.acts(newest=2)] == ["stop", "open"]


@pytest.mark.parametrize("table", ["entries", "said", "messages", "readings"])
@pytest.mark.parametrize("change", ["DELETE FROM {}"])
def test_nothing_can_be_taken_off_or_changed(book: ActsBook, tmp_path: Path, table: str, change: str) -> None:
    """The file itself refuses, whoever opens it."""
    book.result(book.act("grace", "stop", "ada", "hello"))
    book.tell("grace", ["ada"], "hello")
    book.read("ada", book.unread("ada")[0].id)
    with pytest.raises(sqlite3.IntegrityError, match="what was done stands"):
        sqlite3.connect(tmp_path / FILE).execute(change.format(table))


def test_messages_are_shown_until_they_are_read(book: ActsBook) -> None:
    """To each of several people their own; what came after the page was made is not taken for read."""
    book.tell("grace", ["ada", "bob"], "first")
    [first] = book.unread("ada")
    book.tell("grace", ["ada"], "second")
    book.read("ada", first.id)
    assert [message.words for message in book.unread("ada")] == ["second"]
    assert [message.words for message in book.unread("bob")] == ["first"]


def test_nobody_reads_anothers_messages_away(book: ActsBook) -> None:
    """A number beyond one's own messages marks only one's own."""
    book.tell("grace", ["ada", "bob"], "first")
    book.read("ada", 10**9)
    assert book.unread("bob")


def test_has_done_looks_back_so_far(book: ActsBook, clock: list[float]) -> None:
    """What is told again and what is not depends on it."""
    book.act("grace", "enter", "ada")
    clock[0] += 60
    assert book.has_done("grace", "enter", "ada", since=61)
    assert not book.has_done("grace", "enter", "ada", since=59)
    assert not book.has_done("grace", "open", "ada", since=61)


def test_what_is_over_at_once_has_its_end_with_it(book: ActsBook) -> None:
    """One row for each whom it is done to; a failure is written down and goes on its way."""
    with book.noted("ida", "release", ["ada", "bob"], "hw1"):
        assert [act.result for act in book.acts()] == ["", ""]
    with pytest.raises(ValueError, match="no such"), book.noted("ida", "extend", ["ada"]):
        raise ValueError("no such assignment")
    assert [(act.what, act.whom, act.result) for act in book.acts()] == [
        ("extend", "ada", "failed: no such assignment"), ("release", "bob", "done"), ("release", "ada", "done"),
    ]  # fmt: skip


def test_the_record_since_then_and_of_somebody(book: ActsBook, clock: list[float]) -> None:
    """Newest first, all of it; of a person what they did and what was done to them."""
    book.act("grace", "stop", "ada")
    clock[0] += 60
    book.act("ada", "message", "bob", "hello")
    book.act("grace", "release", "everybody", "hw1")
    assert [act.what for act in book.record()] == ["release", "message", "stop"]
    assert [act.what for act in book.record(since=1001.0)] == ["release", "message"]
    assert [act.what for act in book.record(of="ada")] == ["message", "stop"]
    assert book.record(since=1001.0, of="eve") == ()


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    """The hub starts all the same, and what can be saved of the old book is not lost."""
    (tmp_path / FILE).write_bytes(b"no database at all, and long enough to be looked at" * 100)
    assert ActsBook(tmp_path / FILE).acts() == ()
    [aside] = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"no database")


def test_a_second_hub_finds_what_the_first_wrote(tmp_path: Path, book: ActsBook) -> None:
    """The book outlives its hub."""
    book.act("grace", "start", "ada")
    book.close()
    assert [act.what for act in ActsBook(tmp_path / FILE).acts()] == ["start"]
