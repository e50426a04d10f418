"""The verbs of `firstbell.hub.control` that belong to a rehearsal.

| verb | arguments | answer |
|---|---|---|
| `rehearse-open` | how many | `people`: what each types, or opens; `cookies` of their browsers |
| `rehearse-close` | | nobody of it comes in any more, and the hub removes who is: ask `rehearse-state` |
| `rehearse-state` | | `phase`, `people` (user names), `problem` |
| `rehearse-end` | | their homes are deleted: forget them, and give their seats' numbers back |
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbell.errors import CourseBusy, CourseFileError
from firstbell.hub.bells import tables as bell_tables
from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.values import NOW
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.rehearsals.book import COOKIE, PREFIX, Phase, RehearsalBook
from firstbell.model.course import Course


def answer(course: Course, store: PeopleStore, state: Path, verb: str, words: Sequence[str]) -> dict[str, Any]:
    """What the verb answers. Raises CourseBusy where a rehearsal goes on or has left something."""
    book = RehearsalBook(state)
    match verb:
        case "rehearse-open":
            return _open(course, store, book, _number(words))
        case "rehearse-close":
            book.close()
            _end_its_bells(book, state)
        case "rehearse-end":
            _end(store, book, state)
    rehearsal = book.rehearsal()
    return {"phase": rehearsal.phase.value, "people": list(book.people()), "problem": rehearsal.problem}


def _number(words: Sequence[str]) -> int:
    if len(words) != 1 or not words[0].isdecimal() or not 0 < int(words[0]) <= 10_000:
        raise CourseFileError("rehearse-open needs a number of people")
    return int(words[0])


def _open(course: Course, store: PeopleStore, book: RehearsalBook, number: int) -> dict[str, Any]:
    if book.rehearsal().phase is not Phase.NONE:
        raise CourseBusy(
            "a rehearsal of this course goes on, or was cut off",
            next_step="Clear away what it left: firstbell rehearse --clean-up",
        )
    token = book.open(store.last_seat())
    people: list[dict[str, Any]]
    if course.access.login == "seminar":
        fields = {"passcode": course.access.passcode.reveal()} if course.access.passcode else {}
        people = [{"fields": fields} for _ in range(number)]
    else:
        names = _names(number)
        book.add(names)
        people = _with_password(store, names) if course.access.login == "roster" else _with_code(course, book, names)
    return {"people": people, "cookies": {COOKIE: token}}


def _names(number: int) -> list[str]:
    """With a part that is new each time: no person, and no earlier rehearsal, has such a name."""
    run = secrets.token_hex(4)
    return [f"{PREFIX}{run}-{n:03d}" for n in range(1, number + 1)]


def _with_password(store: PeopleStore, names: Sequence[str]) -> list[dict[str, Any]]:
    """One password for all: it is checked for each at full cost, but need be hashed only once."""
    from argon2 import PasswordHasher

    password = secrets.token_urlsafe(18)
    hashed = PasswordHasher().hash(password)
    for name in names:
        store.set_password_hash(name, hashed)
    return [{"fields": {"username": name, "password": password}} for name in names]


def _with_code(course: Course, book: RehearsalBook, names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"door": f"{course.public_url}hub/rehearsal/{book.new_code(name)}"} for name in names]


def _end_its_bells(book: RehearsalBook, state: Path) -> None:
    """A ringing of the rehearsal is over, and the seats that it made and nobody took are the rehearsal's to remove."""
    if not (state / bell_tables.FILE).exists():
        return
    rehearsal, bells = book.rehearsal(), BellBook(state / bell_tables.FILE)
    for ring in bells.active():
        if ring.occurrence.bell == NOW and ring.began >= rehearsal.began - 1:
            bells.close_ring(ring.occurrence.key)
            untaken = bells.take_back(ring.occurrence.key)
            book.add(name for name in untaken if int(name.removeprefix("seat-")) > rehearsal.seats_before)
    bells.close()


def _end(store: PeopleStore, book: RehearsalBook, state: Path) -> None:
    rehearsal = book.rehearsal()
    if rehearsal.phase is Phase.NONE:
        return
    if rehearsal.phase is not Phase.CLOSED:
        raise CourseBusy(
            "the hub has not removed the test people yet", next_step="Try again: firstbell rehearse --clean-up"
        )
    names = book.people()
    if (state / bell_tables.FILE).exists():  # before the numbers are given again
        bells = BellBook(state / bell_tables.FILE)
        bells.forget(names)
        bells.close()
    for name in names:
        store.forget_home(name)
        store.forget(name)
    store.remove_seats([name for name in names if name.startswith("seat-")], rehearsal.seats_before)
    book.forget()
