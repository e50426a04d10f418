"""What staff did to whom, and what people are told: a file of the hub's own that is only ever added to.

The one record: pages, JupyterHub's API, coursework and the command line write into it (decision 34).
Whoever reads it in a year must find what happened: the tables' own triggers refuse to change or delete a row.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.database import transaction

LOG = logging.getLogger("firstbell.acts")

FILE = "acts.sqlite"
COMMAND_LINE = "command line"
"""Who does something there: the hub knows no more of them than that they are the course's owner."""
LONGEST_MESSAGE = 2000
"""Characters: a screen of a phone or two."""
_LONGEST_RESULT = 300
_SHOWN = 20
"""Messages that a page shows at most; those before are told once these have been read."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, whom TEXT NOT NULL,
  words TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS acts_by_whom ON acts (whom);
CREATE TABLE IF NOT EXISTS results (
  act INTEGER PRIMARY KEY REFERENCES acts (id), at REAL NOT NULL, result TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, whom TEXT NOT NULL, words TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_whom ON messages (whom);
CREATE TABLE IF NOT EXISTS readings (message INTEGER PRIMARY KEY REFERENCES messages (id), at REAL NOT NULL);
"""
_TABLES = ("acts", "results", "messages", "readings")
_KEPT = "CREATE TRIGGER IF NOT EXISTS {0}_{1} BEFORE {1} ON {0} BEGIN SELECT RAISE(ABORT, 'what was done stands'); END"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that one of the staff did. Times are Unix seconds."""

    id: int
    at: float
    who: str
    what: str
    """A word: `start`, `stop`, `restart`, `open`, `enter`, `message`, `release`, `collect`, `grade`, `return`, …"""
    whom: str
    """A user name, `section NAME`, `everybody`, or nobody."""
    words: str
    """What else there is to say: a message's text."""
    result: str
    """`done`, or why not; empty as long as it is not known."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that somebody is told by the staff, or of what the staff did."""

    id: int
    at: float
    who: str
    words: str


class ActsBook:
    """The file. Every method is one short transaction; sqlite3.OperationalError (disk full) reaches the caller."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file; a damaged one is kept beside it and a new one begun."""
        self.now = now
        try:
            self._db = _opened(path)
        except sqlite3.OperationalError:
            raise  # a full disk, a lock: nothing is damaged
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.damaged-{int(now())}")
            LOG.error("The book of acts is damaged (%s); it is kept as %s", error, aside)  # noqa: TRY400 - told in words
            path.replace(aside)
            self._db = _opened(path)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def act(self, who: str, what: str, whom: str, words: str = "") -> int:
        """Somebody begins to do something; its number, for its result."""
        row = (self.now(), who, what, whom, words)
        cursor = self._db.execute("INSERT INTO acts (at, who, what, whom, words) VALUES (?, ?, ?, ?, ?)", row)
        return int(cursor.lastrowid or 0)

    def result(self, act: int, result: str = "done") -> None:
        """How it ended; the first word stands."""
        self._db.execute("INSERT OR IGNORE INTO results VALUES (?, ?, ?)", (act, self.now(), result))

    @contextmanager
    def noted(self, who: str, what: str, whom: Iterable[str], words: str = "") -> Iterator[None]:
        """Something that is over at once, done to these: written down, done inside, and how it ended added."""
        numbers = [self.act(who, what, one, words) for one in whom]
        result = "failed"
        try:
            yield
            result = "done"
        except Exception as error:
            result = f"failed: {error}"[:_LONGEST_RESULT]
            raise
        finally:
            for number in numbers:
                self.result(number, result)

    def acts(self, whom: str | None = None, newest: int = 200) -> tuple[Act, ...]:
        """The last ones, newest first; of everybody, or those done to one person."""
        return self._acts("WHERE ?1 IS NULL OR whom = ?1 ORDER BY acts.id DESC LIMIT ?2", (whom, newest))

    def of_kinds(self, what: Iterable[str], newest: int = 200) -> tuple[Act, ...]:
        """The last ones of these, newest first."""
        where = "WHERE what IN (SELECT value FROM json_each(?)) ORDER BY acts.id DESC LIMIT ?"
        return self._acts(where, (json.dumps(list(what)), newest))

    def record(self, since: float = 0.0, of: str = "") -> tuple[Act, ...]:
        """All since then, newest first; `of` somebody: those they did and those done to them by name."""
        where = "WHERE acts.at >= ?1 AND (?2 = '' OR ?2 IN (who, whom)) ORDER BY acts.id DESC"
        return self._acts(where, (since, of))

    def _acts(self, where: str, values: tuple[object, ...]) -> tuple[Act, ...]:
        query = (
            "SELECT acts.id, acts.at, who, what, whom, words, coalesce(result, '') FROM acts"
            " LEFT JOIN results ON results.act = acts.id "
        )
        return tuple(Act(*row) for row in self._db.execute(query + where, values))

    def has_done(self, who: str, what: str, whom: str, since: float) -> bool:
        """Whether they did that to that person in the last `since` seconds."""
        row = (who, what, whom, self.now() - since)
        found = self._db.execute("SELECT 1 FROM acts WHERE who = ? AND what = ? AND whom = ? AND at >= ? LIMIT 1", row)
        return found.fetchone() is not None

    def tell(self, who: str, people: Iterable[str], words: str) -> None:
        """A message to each of these people, shown on their pages until they have read it."""
        now = self.now()
        with transaction(self._db) as db:
            db.executemany(
                "INSERT INTO messages (at, who, whom, words) VALUES (?, ?, ?, ?)",
                [(now, who, whom, words) for whom in people],
            )

    def unread(self, whom: str) -> tuple[Message, ...]:
        """What that person has not yet said to have read, oldest first."""
        rows = self._db.execute(
            "SELECT id, messages.at, who, words FROM messages LEFT JOIN readings ON message = id"
            " WHERE whom = ? AND message IS NULL ORDER BY id LIMIT ?",
            (whom, _SHOWN),
        )
        return tuple(Message(*row) for row in rows)

    def read(self, whom: str, up_to: int) -> None:
        """They have read what they were told up to that message."""
        self._db.execute(
            "INSERT OR IGNORE INTO readings SELECT id, ? FROM messages WHERE whom = ? AND id <= ?",
            (self.now(), whom, up_to),
        )

    def read_these(self, whom: str, messages: Iterable[int]) -> None:
        """They have read these of what they were told; others' messages stay as they are."""
        with transaction(self._db) as db:
            db.executemany(
                "INSERT OR IGNORE INTO readings SELECT id, ? FROM messages WHERE whom = ? AND id = ?",
                [(self.now(), whom, message) for message in messages],
            )


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # what was done must not be forgotten with the machine's power
    with transaction(db):
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        for table in _TABLES:
            for change in ("UPDATE", "DELETE"):
                db.execute(_KEPT.format(table, change))
    return db
