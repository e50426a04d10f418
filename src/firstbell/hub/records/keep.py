"""What may leave the hub's record: entries that are older than the course keeps them, and somebody's name.

Both leave an entry behind that says so, and a chain that can be checked: retention keeps the hash of the last entry
that it took out; of an erased name the seals stay, from which nobody can get it back.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from firstbell.errors import StartFailed
from firstbell.hub.records.chain import ERASED, RETIRED
from firstbell.hub.records.file import unguarded
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New, append

AT_ONCE = 5000
"""Entries that one transaction takes out: whoever wants to write waits no longer than that takes."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure found."""

    entries: int
    """That were about the person or by them."""
    words: int
    """Entries whose words named them, and have none now."""
    messages: int


def retire(record: Record, before: float) -> int:
    """Take out the entries, and messages, from before that moment (Unix seconds); how many entries those were.

    An entry that is younger than one after it stays with it. Raises sqlite3.Error, also where entries are missing.
    """
    taken = 0
    while True:
        with unguarded(record.db) as db:
            some = _retire_some(db, before, record.now())
        taken += some
        if some < AT_ONCE:
            break
    if taken:
        record.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return taken


def _retire_some(db: sqlite3.Connection, before: float, now: float) -> int:
    old = "DELETE FROM {} WHERE {} IN (SELECT id FROM messages WHERE at < ?)"
    db.execute(old.format("readings", "message"), (before,))
    db.execute(old.format("messages", "id"), (before,))
    gone, last = db.execute("SELECT gone, last FROM ends").fetchone()
    (young,) = db.execute("SELECT min(id) FROM entries WHERE at >= ?", (before,)).fetchone()
    until = min((young - 1) if young is not None else last, gone + AT_ONCE)
    if until <= gone:
        return 0
    (here,) = db.execute("SELECT count(*) FROM entries WHERE id <= ?", (until,)).fetchone()
    if here != until - gone:
        raise sqlite3.DatabaseError("entries are missing, so none is taken out; look at: firstbell activity --check")
    (own,) = db.execute("SELECT hash FROM entries WHERE id = ?", (until,)).fetchone()
    append(db, [New(RETIRED, of=until)], now)
    db.execute("DELETE FROM entries WHERE id <= ?", (until,))
    db.execute("DELETE FROM said WHERE entry <= ?", (until,))
    db.execute("UPDATE ends SET gone = ?, gone_hash = ?", (until, own))
    db.execute("DELETE FROM names WHERE number NOT IN (SELECT number FROM meant)")
    db.execute("DELETE FROM people WHERE number NOT IN (SELECT number FROM meant)")
    return int(until - gone)


def erase(record: Record, username: str, by: str, also: Iterable[str] = ()) -> Erased:
    """Take somebody's name out: of every entry, and every word that has it or one of `also` (other names of theirs).

    Their messages go, too. Done twice, it is the same as once. Files that were put aside as damaged are not touched.
    Raises ValueError for no name, sqlite3.Error where nothing was changed, and StartFailed where others hold the file
    for so long that what was deleted cannot be overwritten: the names are out, and the next call does the rest.
    """
    if not username.strip():
        raise ValueError("an erasure needs a name")
    pattern = _pattern((username, *also))
    with unguarded(record.db) as db:
        erased = _erase(db, username, by, pattern, record.now())
    _overwrite(record.db)
    return erased


def _erase(db: sqlite3.Connection, username: str, by: str, pattern: re.Pattern[str], now: float) -> Erased:
    told = db.execute("SELECT id, who, whom, words FROM messages").fetchall()
    messages = [(id_,) for id_, who, whom, words in told if username in {who, whom} or pattern.search(words)]
    db.executemany("DELETE FROM readings WHERE message = ?", messages)
    db.executemany("DELETE FROM messages WHERE id = ?", messages)
    said = db.execute(
        "SELECT entry, said.words FROM said JOIN entries ON id = entry WHERE kind != ?", (ERASED,)
    ).fetchall()
    words = [entry for entry, text in said if pattern.search(text)]
    found = db.execute("SELECT number FROM names WHERE name = ?", (username,)).fetchone()
    about = "SELECT count(*) FROM entries WHERE ? IN (who, whom)"
    entries = db.execute(about, found).fetchone()[0] if found else 0
    if found or words:
        append(db, [New(ERASED, "", by, username, json.dumps(words))], now)
        db.execute("DELETE FROM names WHERE name = ?", (username,))
    db.executemany("DELETE FROM said WHERE entry = ?", [(entry,) for entry in words])
    return Erased(entries, len(words), len(messages))


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Each name where it is no part of a longer word, also as an address writes it."""
    forms = {form for name in names if name.strip() for form in (name.strip(), quote(name.strip(), safe=""))}
    longest = sorted(map(re.escape, forms), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest)})(?!\w)", re.IGNORECASE)


def _overwrite(db: sqlite3.Connection) -> None:
    """Leave nothing of what was deleted, in the file or beside it."""
    try:
        db.execute("VACUUM")
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise _unfinished(str(error)) from error
    if busy:
        raise _unfinished("somebody reads it")


def _unfinished(why: str) -> StartFailed:
    what = f"the name is out of the record, but what was deleted could not be overwritten yet: {why}"
    return StartFailed(what, next_step="Erase it again in a minute: that does the rest.")
