"""Who is a rehearsal's test person: a file of its own, so that one killed anywhere can be cleared away."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from firstbell.hub.logins import codes
from firstbell.sqlite import transaction

FILE = "rehearsal.sqlite"
PREFIX = "rehearsal-"
"""Begins the user names of test people, where they are not seats."""
COOKIE = "firstbell-rehearsal"
"""Carries the token of the rehearsal, in browsers of its people; it lets nobody in by itself."""
LONGEST = 4 * 3600.0
"""Seconds after which a rehearsal's doors close by themselves."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rehearsal (
  id INTEGER PRIMARY KEY CHECK (id = 1), phase TEXT NOT NULL, token BLOB NOT NULL, ends REAL NOT NULL,
  seats_before INTEGER NOT NULL, problem TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS people (username TEXT PRIMARY KEY, code BLOB UNIQUE);
"""


class Phase(StrEnum):
    """How far a rehearsal is."""

    NONE = "none"
    OPEN = "open"
    CLOSING = "closing"
    """The hub is removing its people and their servers."""
    CLOSED = "closed"
    """Nobody of it is in the hub any more; their homes may be deleted."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The one there is."""

    phase: Phase
    ends: float = 0.0
    seats_before: int = 0
    problem: str = ""

    @property
    def began(self) -> float:
        """Unix seconds."""
        return self.ends - LONGEST


class RehearsalBook:
    """The file. Made when a rehearsal opens; without it every question is answered with nobody."""

    def __init__(self, state_dir: Path, now: Callable[[], float] = time.time) -> None:
        self._path = state_dir / FILE
        self._now = now

    def rehearsal(self) -> Rehearsal:
        """The present one."""
        rows = self._read("SELECT phase, ends, seats_before, problem FROM rehearsal")
        return Rehearsal(Phase(rows[0][0]), *rows[0][1:]) if rows else Rehearsal(Phase.NONE)

    def people(self) -> tuple[str, ...]:
        """The user names of all test people."""
        return tuple(row[0] for row in self._read("SELECT username FROM people ORDER BY username"))

    def has(self, username: str) -> bool:
        """Whether that is a test person."""
        return bool(self._read("SELECT 1 FROM people WHERE username = ?", username))

    def is_open(self, token: str) -> bool:
        """Whether that is the token of a rehearsal that goes on now."""
        return bool(
            self._read(
                "SELECT 1 FROM rehearsal WHERE phase = 'open' AND token = ? AND ends > ?", _digest(token), self._now()
            )
        )

    def may_enter(self, username: str) -> bool:
        """Whether that is a test person of a rehearsal that goes on now."""
        return username.startswith(PREFIX) and bool(
            self._read(
                "SELECT 1 FROM people, rehearsal WHERE username = ? AND phase = 'open' AND ends > ?",
                username,
                self._now(),
            )
        )

    def open(self, seats_before: int) -> str:
        """Begin one; its token. There must be none."""
        token = secrets.token_urlsafe(24)
        with self._writing() as db:
            row = (Phase.OPEN.value, _digest(token), self._now() + LONGEST, seats_before)
            db.execute("INSERT INTO rehearsal (id, phase, token, ends, seats_before) VALUES (1, ?, ?, ?, ?)", row)
        return token

    def add(self, usernames: Iterable[str]) -> None:
        """These are test people, from now on."""
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO people (username) VALUES (?)", [(name,) for name in usernames])

    def new_code(self, username: str) -> str:
        """A code that lets that test person in, once."""
        code = codes.new_link_code()
        with self._writing() as db:
            db.execute("UPDATE people SET code = ? WHERE username = ?", (_digest(code), username))
        return code

    def redeem(self, code: str) -> str:
        """Use a code up; whose it was, "" if it is no open one."""
        if not self._read("SELECT 1 FROM rehearsal WHERE phase = 'open' AND ends > ?", self._now()):
            return ""
        with self._writing() as db:
            row = db.execute(
                "UPDATE people SET code = NULL WHERE code = ? RETURNING username", (_digest(code[:64]),)
            ).fetchone()
        return str(row[0]) if row else ""

    def close(self) -> None:
        """Its people are to be removed."""
        self._set("phase = 'closing', problem = ''", "phase = 'open' OR problem != ''")

    def closed(self) -> None:
        """They are out of the hub."""
        self._set("phase = 'closed'", "phase = 'closing'")

    def failed(self, problem: str) -> None:
        """They could not be removed yet, and why."""
        self._set("problem = ?", "phase = 'closing'", problem)

    def forget(self) -> None:
        """Nothing of it is left anywhere."""
        with self._writing() as db:
            db.execute("DELETE FROM people")
            db.execute("DELETE FROM rehearsal")

    def _set(self, change: str, where: str, *values: str) -> None:
        if self._path.exists():
            with self._writing() as db:
                db.execute(f"UPDATE rehearsal SET {change} WHERE {where}", values)  # noqa: S608 - both are written above

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with self._opened() as db:
            return db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db, transaction(db):
            yield db

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            db.executescript(_SCHEMA)
            yield db
        finally:
            db.close()


def _digest(secret: str) -> bytes:
    return codes.digest(b"", "rehearsal", secret)
