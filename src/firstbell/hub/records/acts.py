"""What staff did to whom, and what people are told: their part of the hub's one record.

Pages, JupyterHub's API, coursework and the command line write into it (decision 34). Whoever reads it in a year must
find what happened: entries are only ever added (`record.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.records.chain import RESTORE, RESULT, STAFF
from firstbell.hub.records.file import FILE as FILE  # noqa: PLC0414 - for those who know acts alone
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.sqlite import transaction

COMMAND_LINE = "command line"
"""Who does something there: the hub knows no more of them than that they are the course's owner."""
LONGEST_MESSAGE = 2000
"""Characters: a screen of a phone or two."""
_LONGEST_RESULT = 300
_SHOWN = 20
"""Messages that a page shows at most; those before are told once these have been read."""


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
        self._record = Record(path, now)
        self._db = self._record.db

    def close(self) -> None:
        """Let go of the file."""
        self._record.close()

    def act(self, who: str, what: str, whom: str, words: str = "") -> int:
        """Somebody begins to do something; its number, for its result."""
        return self._record.add(New(STAFF, what, who, whom, words))[0]

    def result(self, act: int, result: str = "done") -> None:
        """How it ended; the first word stands."""
        self._record.add(New(RESULT, words=result, of=act))

    def restored(self, user: str, words: str) -> int:
        """Somebody is about to have files of their own brought back; its number, for its result."""
        return self._record.add(New(RESTORE, "own files", user, user, words))[0]

    @contextmanager
    def noted(self, who: str, what: str, whom: Iterable[str], words: str = "") -> Iterator[None]:
        """Something that is over at once, done to these: written down, done inside, and how it ended added."""
        numbers = self._record.add(*(New(STAFF, what, who, one, words) for one in whom))
        result = "failed"
        try:
            yield
            result = "done"
        except Exception as error:
            result = f"failed: {error}"[:_LONGEST_RESULT]
            raise
        finally:
            self._record.add(*(New(RESULT, words=result, of=number) for number in numbers))

    def acts(self, whom: str | None = None, newest: int = 200) -> tuple[Act, ...]:
        """The last ones, newest first; of everybody, or those done to one person."""
        if whom is None:
            return self._acts("", (newest,))
        return self._acts("AND entries.whom = ?", (self._record.number(whom), newest))

    def of_kinds(self, what: Iterable[str], newest: int = 200) -> tuple[Act, ...]:
        """The last ones of these, newest first."""
        return self._acts("AND entries.what IN (SELECT value FROM json_each(?))", (json.dumps(list(what)), newest))

    def record(self, since: float = 0.0, of: str = "") -> tuple[Act, ...]:
        """All since then, newest first; `of` somebody: those they did and those done to them by name."""
        who = self._record.number(of) if of else None
        return self._acts(
            "AND entries.at >= ? AND (? IS NULL OR ? IN (entries.who, entries.whom))", (since, who, who, -1)
        )

    def _acts(self, where: str, values: tuple[object, ...]) -> tuple[Act, ...]:
        """The last value is how many at most; -1 for all."""
        query = f"WHERE entries.kind = '{STAFF}' {where} ORDER BY entries.id DESC LIMIT ?"
        found = self._record.select(query, values)
        return tuple(Act(one.id, one.at, one.who, one.what, one.whom, one.words, one.result) for one in found)

    def has_done(self, who: str, what: str, whom: str, since: float) -> bool:
        """Whether they did that to that person in the last `since` seconds."""
        row = (STAFF, self._record.number(who), what, self._record.number(whom), self.now() - since)
        query = "SELECT 1 FROM entries WHERE kind = ? AND who = ? AND what = ? AND whom = ? AND at >= ? LIMIT 1"
        return self._db.execute(query, row).fetchone() is not None

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
