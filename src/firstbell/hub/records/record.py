"""The hub's one record: who did what when, with what result; entries are only ever added, each chained to the last.

Written by the hub, its services and the command line's questions, at once if need be: each append is one transaction
that waits for the others. What it looks like on the disk is in `file.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.records.chain import END, READY, RESULT, START
from firstbell.hub.records.file import opened
from firstbell.hub.records.write import New, append
from firstbell.sqlite import transaction

_SELECT = (
    "SELECT entries.id, entries.at, entries.kind, entries.what,"
    " coalesce(by.name, 'person ' || entries.who, ''), coalesce(about.name, 'person ' || entries.whom, ''),"
    " coalesce(said.words, CASE WHEN entries.words IS NULL THEN '' ELSE 'erased' END),"
    " coalesce(ended.words, CASE WHEN later.words IS NULL THEN later.what ELSE 'erased' END, '') FROM entries"
    " LEFT JOIN names AS by ON by.number = entries.who LEFT JOIN names AS about ON about.number = entries.whom"
    " LEFT JOIN said ON said.entry = entries.id"
    " LEFT JOIN entries AS later ON later.of = entries.id AND later.kind = 'result'"
    " LEFT JOIN said AS ended ON ended.entry = later.id "
)
_AT_WORK = (
    "SELECT names.name FROM entries JOIN names ON number = whom WHERE kind = ? AND id IN"
    " (SELECT max(id) FROM entries WHERE kind = ? OR kind = ? AND what = ? GROUP BY whom) ORDER BY id"
)
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown, with its result where that came later. Times are Unix seconds."""

    id: int
    at: float
    kind: str
    what: str
    who: str
    """Whose name was erased is `person NUMBER`."""
    whom: str
    words: str
    result: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which lines are looked for. Times are Unix seconds."""

    since: float = 0.0
    until: float = float("inf")
    of: str = ""
    """Those this person did and those about them; empty for all."""
    kinds: tuple[str, ...] = ()
    """Empty for all."""
    before: int = 2**62
    """The entry that those on the page before ended with."""
    newest: int = -1
    """How many at most; -1 for all."""


class Record:
    """The file, for one thread. Every method is a short transaction; sqlite3.Error (disk full) reaches the caller."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.db = opened(path, now)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def add(self, *news: New) -> list[int]:
        """Write entries, all or none; their numbers."""
        with transaction(self.db) as db:
            return append(db, news, self.now())

    def lines(self, since: float = 0.0, of: str = "", kinds: Iterable[str] = ()) -> tuple[Line, ...]:
        """All since then, newest first; of somebody those they did and those about them; of these kinds alone."""
        return self.find(Sought(since, of=of, kinds=tuple(kinds)))

    def find(self, sought: Sought) -> tuple[Line, ...]:
        """The lines of that, newest first. Results stand in the line that they are about."""
        where = "WHERE entries.kind != ? AND entries.at >= ? AND entries.at < ? AND entries.id < ?"
        values: list[object] = [RESULT, sought.since, sought.until, sought.before]
        if sought.of:
            where += " AND ? IN (entries.who, entries.whom)"
            values.append(self.number(sought.of))
        if sought.kinds:
            where += f" AND entries.kind IN ({', '.join('?' * len(sought.kinds))})"
            values += sought.kinds
        return self.select(f"{where} ORDER BY entries.id DESC LIMIT ?", [*values, sought.newest])

    def at_work(self) -> tuple[str, ...]:
        """Whose last server has a start and no end."""
        rows = self.db.execute(_AT_WORK, (START, END, START, READY))
        return tuple(name for (name,) in rows)

    def select(self, where: str, values: Iterable[object]) -> tuple[Line, ...]:
        """Lines of the table `entries`."""
        return tuple(Line(*row) for row in self.db.execute(_SELECT + where, tuple(values)))

    def number(self, name: str) -> int:
        """By which entries mean that name; of a name that none has, a number that none has."""
        found: tuple[int] | None = self.db.execute("SELECT number FROM names WHERE name = ?", (name,)).fetchone()
        return found[0] if found else _NOBODY

    @property
    def head(self) -> tuple[int, bytes]:
        """Number and hash of the last entry."""
        last, own = self.db.execute("SELECT last, last_hash FROM ends").fetchone()
        return last, own
