"""Adding to the record: entries that follow the last one, within a transaction of the caller's."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from firstbell.hub.records.chain import OWN_KINDS, RESULT, SALT_BYTES, Link, chained, scrubbed, sealed

DONE = "done"


@dataclass(frozen=True, slots=True)
class New:
    """An entry to be written. `who` did `what` to `whom`: user names, or what stands for some; empty for nobody."""

    kind: str
    what: str = ""
    """A word of our own, never anybody's."""
    who: str = ""
    whom: str = ""
    words: str = ""
    of: int | None = None
    """The entry that this one is about."""
    at: float | None = None
    """Unix seconds; None for now."""


def append(db: sqlite3.Connection, news: Iterable[New], now: float) -> list[int]:
    """Their numbers; a result of what has one already is not written and has number 0.

    `db` is in a transaction that may write (`BEGIN IMMEDIATE`): so nobody else reads the same last entry.
    Raises sqlite3.Error where it cannot be written.
    """
    end = db.execute("SELECT last, last_hash FROM ends").fetchone()
    if end is None:
        raise sqlite3.DatabaseError("nobody knows the record's last entry; look at: firstbell activity --check")
    last, before = end
    numbers = []
    for new in news:
        if new.kind == RESULT and _has_result(db, new.of):
            numbers.append(0)
            continue
        last, before = last + 1, _written(db, new, last + 1, before, now)
        numbers.append(last)
    return numbers


def _written(db: sqlite3.Connection, new: New, number: int, before: bytes, now: float) -> bytes:
    """Write one; its hash."""
    what, words = new.what, new.words if new.kind in OWN_KINDS else scrubbed(new.words)
    if new.kind == RESULT and words == DONE:
        what, words = DONE, ""
    salt, seal = os.urandom(SALT_BYTES), None
    if words:
        seal = sealed(words, salt)
        db.execute("INSERT INTO said VALUES (?, ?, ?)", (number, words, salt))
    (who, who_seal), (whom, whom_seal) = _person(db, new.who), _person(db, new.whom)
    at = float(now if new.at is None else new.at)
    own = chained(before, Link(number, at, new.kind, what, who_seal, whom_seal, new.of, seal))
    row = (number, at, new.kind, what, who, whom, new.of, seal, before, own)
    db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return own


def _has_result(db: sqlite3.Connection, of: int | None) -> bool:
    return db.execute("SELECT 1 FROM entries WHERE of = ? AND kind = 'result'", (of,)).fetchone() is not None


def _person(db: sqlite3.Connection, name: str) -> tuple[int | None, bytes | None]:
    """The number and the seal of a name, which get made for a new one."""
    if not name:
        return None, None
    found = db.execute("SELECT number, seal FROM names JOIN people USING (number) WHERE name = ?", (name,)).fetchone()
    if found is not None:
        return found[0], found[1]
    salt = os.urandom(SALT_BYTES)
    seal = sealed(name, salt)
    number = db.execute("INSERT INTO people (seal) VALUES (?)", (seal,)).lastrowid
    db.execute("INSERT INTO names VALUES (?, ?, ?)", (number, name, salt))
    return number, seal
