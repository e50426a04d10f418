"""A rehearsal's book and its verbs: who is a test person, and what stays of them (nothing)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstbell.errors import CourseBusy, CourseFileError
from firstbell.hub.bells.book import BellBook
from firstbell.hub.logins.seats import Seats
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.rehearsals.book import LONGEST, Phase, RehearsalBook
from firstbell.hub.rehearsals.control import answer
from firstbell.hub.rehearsals.rehearsal import expected, test_person
from firstbell.model.course import Course
from firstbell.plan.bells import Occurrence

test_person.__test__ = False  # type: ignore[attr-defined]


def course(**access: Any) -> Course:
    return Course(name="c", url="https://example.org/class", access=access, server={"image": "x"})


@pytest.fixture
def store(tmp_path: Path) -> PeopleStore:
    return PeopleStore(tmp_path / "people.sqlite", b"k" * 32)


def ask(store: PeopleStore, verb: str, *words: str, **access: Any) -> dict[str, Any]:
    return answer(course(**(access or {"login": "roster"})), store, store.path.parent, f"rehearse-{verb}", words)


def closed(store: PeopleStore) -> None:
    """As the hub does once all are out."""
    ask(store, "close")
    RehearsalBook(store.path.parent).closed()


def test_without_a_rehearsal_there_is_nobody_and_no_file(store: PeopleStore):
    """Asking makes nothing, and lets nobody in."""
    book = RehearsalBook(store.path.parent)
    assert book.rehearsal().phase is Phase.NONE
    assert not book.is_open("x") and not book.redeem("x") and not book.may_enter("rehearsal-1")
    assert ask(store, "state") == {"phase": "none", "people": [], "problem": ""}
    assert [path.name for path in store.path.parent.iterdir() if "rehearsal" in path.name] == []


def test_a_rosters_test_people_have_names_nobody_has_and_a_password(store: PeopleStore):
    """They may enter while it is open, and are gone from everywhere after it."""
    people = ask(store, "open", "3")["people"]
    names = [entry["fields"]["username"] for entry in people]
    assert len(set(names)) == 3 and all(name.startswith("rehearsal-") for name in names)
    assert expected(store) == set(names) == store.with_password()
    assert all(test_person(store, name) for name in names)
    assert test_person(store, "rehearsal-somebody") is None and test_person(store, "ada") is None
    store.record_home(names[0])
    closed(store)
    assert test_person(store, names[0]) is None and expected(store) == set()
    assert ask(store, "end")["phase"] == "none"
    assert store.with_password() == set() and not store.has_home(names[0])


def test_two_rehearsals_exclude_each_other_until_the_first_is_cleared_away(store: PeopleStore):
    """The second is refused with the command that clears away; homes are never forgotten before they are deleted."""
    ask(store, "open", "1")
    with pytest.raises(CourseBusy, match="was cut off") as refused:
        ask(store, "open", "1")
    assert "--clean-up" in refused.value.next_step
    ask(store, "close")
    with pytest.raises(CourseBusy):
        ask(store, "end")
    RehearsalBook(store.path.parent).closed()
    ask(store, "end")
    assert ask(store, "open", "1")["people"]


def test_a_number_is_needed(store: PeopleStore):
    """None, a word, none at all, or far too many are refused, and nothing is opened."""
    for words in ((), ("x",), ("0",), ("100000",), ("1", "2")):
        with pytest.raises(CourseFileError):
            ask(store, "open", *words)
    assert ask(store, "state")["phase"] == "none"


def test_a_code_lets_one_person_in_once_while_it_is_open(store: PeopleStore):
    """Where somebody else's login stands before the course: never twice, never after the end, never a made-up one."""
    made = ask(store, "open", "2", login="github", allow=("ada",))["people"]
    codes = [entry["door"].rsplit("/", 1)[1] for entry in made]
    assert made[0]["door"].startswith("https://example.org/class/hub/rehearsal/")
    book = RehearsalBook(store.path.parent)
    assert book.redeem(codes[0]) in book.people()
    assert book.redeem(codes[0]) == "" == book.redeem("x" * 26)
    ask(store, "close")
    assert book.redeem(codes[1]) == ""


def test_doors_close_by_themselves(store: PeopleStore):
    """A rehearsal whose command was killed lets nobody in after some hours."""
    clock = [1000.0]
    book = RehearsalBook(store.path.parent, lambda: clock[0])
    token = book.open(0)
    book.add(["rehearsal-1"])
    assert book.is_open(token) and not book.is_open("another") and book.may_enter("rehearsal-1")
    clock[0] += LONGEST + 1
    assert not book.is_open(token) and not book.may_enter("rehearsal-1")


def test_a_seminars_seats_are_given_again_but_never_one_that_somebody_has(store: PeopleStore):
    """Numbers of test seats come back, except below a seat that a real person took meanwhile."""
    seats = Seats(store, "c")

    def new() -> str:
        return seats.new(taken=lambda _: False).username

    assert [new(), new()] == ["seat-001", "seat-002"]
    assert ask(store, "open", "3", login="seminar")["people"] == [{"fields": {}}] * 3
    tested = [new(), new(), new()]
    RehearsalBook(store.path.parent).add(tested)
    cookie = seats.cookie(store.seat("seat-004"))  # type: ignore[arg-type]
    closed(store)
    ask(store, "end")
    assert [seat.username for seat in store.seats()] == ["seat-001", "seat-002"]
    assert [new(), new()] == ["seat-003", "seat-004"]
    assert seats.by_cookie(cookie) is None  # the test person's own way in is void

    ask(store, "open", "2", login="seminar")
    tested, real = [new()], new()
    RehearsalBook(store.path.parent).add(tested)
    closed(store)
    ask(store, "end")
    assert real == "seat-006" and store.seat(real) is not None
    assert new() == "seat-007"


def test_a_seat_with_a_home_is_not_given_to_anybody(store: PeopleStore):
    """Should a home have outlived its seat, its number is passed over."""
    ask(store, "open", "1", login="seminar")
    store.record_home("seat-005")
    closed(store)
    ask(store, "end")
    assert Seats(store, "c").new(taken=lambda _: False).username == "seat-006"


def test_what_went_wrong_is_told_and_tried_again(store: PeopleStore):
    """A server that could not be stopped is a problem that the next closing starts with afresh."""
    ask(store, "open", "1")
    ask(store, "close")
    RehearsalBook(store.path.parent).failed("the engine does not answer")
    assert ask(store, "state")["problem"] == "the engine does not answer"
    assert ask(store, "close")["problem"] == ""


def test_a_bell_rung_for_it_ends_with_it(store: PeopleStore):
    """Seats that it prepared and nobody took are the rehearsal's; earlier ones, and those of other bells, are not."""
    seats, bells = Seats(store, "c"), BellBook(store.path.parent / "bells.sqlite")

    def rung(bell: str, *names: str) -> None:
        ring = Occurrence(bell=bell, at=datetime.now(UTC), seats=len(names), grace=600.0)
        bells.begin(ring, wanted=len(names))
        bells.want_seats(ring, names)

    before = seats.new(taken=lambda _: False).username
    rung("monday", before)
    ask(store, "open", "2", login="seminar")
    prepared = [seats.new(taken=lambda _: False).username for _ in range(2)]
    rung("now", *prepared)
    RehearsalBook(store.path.parent).add([bells.hand_out() or ""])  # the first comes; it was monday's
    state = ask(store, "close")
    assert set(prepared) < {*state["people"]} == {*prepared, before}
    assert [ring.occurrence.bell for ring in bells.active()] == ["monday"]
    RehearsalBook(store.path.parent).closed()
    ask(store, "end")
    assert all(bells.place(name) is None for name in (*prepared, before))
    assert bells.hand_out() is None  # a number that is given again is nobody's prepared seat
