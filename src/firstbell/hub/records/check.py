"""Whether the hub's record is what was written: any entry that was changed, taken out or put in is found.

What this cannot find is a record that somebody wrote anew from the first entry to the last. Whoever keeps an older
head elsewhere (`firstbell activity --check` prints it) finds that, too.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firstbell.hub.records.chain import ERASED, RETIRED, Link, chained, sealed
from firstbell.hub.records.file import GUARDS

_ROWS = (
    "SELECT id, at, kind, what, who, whom, of, entries.words, before, hash, by.seal, about.seal, said.words, said.salt"
    " FROM entries LEFT JOIN people AS by ON by.number = who LEFT JOIN people AS about ON about.number = whom"
    " LEFT JOIN said ON said.entry = id ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to: nothing found is a record as it was written."""

    entries: int
    first: int
    last: int
    head: str
    """The last entry's hash."""
    gone: int
    """Up to which entry retention has taken them out; 0 for none."""
    found: tuple[str, ...]


def check(db: sqlite3.Connection, head: str = "") -> Checked:
    """Look at everything, at one moment of the file. `head` is `NUMBER:HASH` of an earlier check, or nothing.

    Raises ValueError for a `head` that is none.
    """
    db.execute("BEGIN")
    try:
        return _Check(db, head).run()
    finally:
        db.execute("ROLLBACK")


class _Check:
    """One look at the file."""

    def __init__(self, db: sqlite3.Connection, head: str) -> None:
        self._db = db
        self._head = _parsed(head)
        self._retired = 0
        self._wordless: set[int] = set()
        self._erased_words: set[int] = set()
        self._erased_people: set[int] = set()

    def run(self) -> Checked:
        ends = self._db.execute("SELECT gone, gone_hash, last, last_hash FROM ends").fetchall()
        gone, gone_hash, last, last_hash = ends[0] if ends else (0, b"", 0, b"")
        found = [] if ends else ["where the chain begins and ends was taken out"]
        if not (isinstance(gone, int) and isinstance(last, int)):
            found, gone, last = ["where the chain begins and ends was changed"], 0, 0
        entries, first, at = 0, 0, (gone, _bytes(gone_hash))
        for row in self._db.execute(_ROWS):
            found += self._entry(row, *at)
            entries, first, at = entries + 1, first or row[0], (row[0], _bytes(row[9]))
        if at != (last, _bytes(last_hash)):
            found.append(f"entries after {at[0]} were taken out: the last one was {last}")
        if gone != self._retired:
            found.append(f"entries up to {gone} were taken out, and no entry says so")
        found += [*self._words(), *self._names(), *self._guards(), *self._earlier(gone)]
        return Checked(entries, first, last, _bytes(last_hash).hex(), gone, tuple(found))

    def _entry(self, row: tuple[Any, ...], number: int, before: bytes) -> Iterator[str]:
        """What is wrong with one that should follow that number and that hash."""
        (id_, at, kind, what, who, whom, of, seal, chained_to, own, who_seal, whom_seal, words, salt) = row
        if id_ != number + 1:
            yield f"entries {number + 1} to {id_ - 1} were taken out"
        elif chained_to != before:
            yield f"entry {id_} does not follow entry {number}"
        if (who is not None and who_seal is None) or (whom is not None and whom_seal is None):
            yield f"entry {id_} is about somebody who was taken out"
        link = Link(id_, at, kind, what, who_seal, whom_seal, of, seal)
        if _hash(chained_to, link) != own:
            yield f"entry {id_} was changed"
        if words is None and seal is not None:
            self._wordless.add(id_)
        elif words is not None and (not isinstance(words, str) or seal is None or _seal(words, salt) != seal):
            yield f"the words of entry {id_} were changed"
        if kind == RETIRED and isinstance(of, int):
            self._retired = max(self._retired, of)
        if kind == ERASED and isinstance(whom, int):
            self._erased_people.add(whom)
            self._erased_words |= _numbers(words)

    def _words(self) -> Iterator[str]:
        for number in sorted(self._wordless - self._erased_words):
            yield f"the words of entry {number} were taken out"
        stray = self._db.execute("SELECT entry FROM said WHERE entry NOT IN (SELECT id FROM entries)")
        yield from (f"words of an entry {number} that is not there" for (number,) in stray.fetchall())

    def _names(self) -> Iterator[str]:
        query = "SELECT number, seal, name, salt FROM people LEFT JOIN names USING (number) ORDER BY number"
        for number, seal, name, salt in self._db.execute(query).fetchall():
            if name is None:
                if number not in self._erased_people:
                    yield f"the name of person {number} was taken out"
            elif _seal(name, salt) != seal:
                yield f"the name of person {number} was changed"
        idle = self._db.execute("SELECT number FROM people WHERE number NOT IN (SELECT number FROM meant)")
        yield from (f"person {number} was put in: no entry means them" for (number,) in idle.fetchall())
        stray = self._db.execute("SELECT number FROM names WHERE number NOT IN (SELECT number FROM people)")
        yield from (f"the name of a person {number} who is not there" for (number,) in stray.fetchall())

    def _guards(self) -> Iterator[str]:
        there = dict(self._db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
        for name in sorted(GUARDS.keys() | there.keys()):
            if there.get(name) != GUARDS.get(name):
                yield f"the guard {name} of the file is not as it was made"

    def _earlier(self, gone: int) -> Iterator[str]:
        """Whether the entry that somebody wrote down is still the same."""
        if self._head is None or self._head[0] <= gone:
            return
        number, own = self._head
        row = self._db.execute("SELECT hash FROM entries WHERE id = ?", (number,)).fetchone()
        if row is None or _bytes(row[0]).hex() != own:
            yield f"entry {number} is not the one that was there at the earlier check"


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _hash(before: Any, link: Link) -> bytes | None:
    try:  # whoever changed a row may have put anything there
        return chained(before, link)
    except (TypeError, ValueError, AttributeError):
        return None


def _seal(text: object, salt: object) -> bytes | None:
    return sealed(text, salt) if isinstance(text, str) and isinstance(salt, bytes) else None


def _numbers(words: object) -> set[int]:
    """The entries that an erasure says it has taken the words of."""
    try:
        return set(json.loads(words)) if isinstance(words, str) else set()
    except (ValueError, TypeError):
        return set()


def _parsed(head: str) -> tuple[int, str] | None:
    if not head:
        return None
    number, _, own = head.partition(":")
    return int(number), own.strip().lower()
