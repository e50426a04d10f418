"""A copy of the hub's small files in the course's PostgreSQL database, for a hub that begins on another machine.

People, passwords, seats and where homes are stand in SQLite files of the hub's state, asked many times a second. With
`database` a copy of them follows each change within seconds; a state that is empty begins from the copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import sqlite3
from pathlib import Path

import psycopg

from firstbell.hub.people import book as people
from firstbell.hub.state.secrets import write_new

COOKIE_SECRET = "cookie.secret"  # noqa: S105 - a file's name
_PAUSE = 2.0
"""Seconds between two looks: so much may be lost with the hub's machine."""
_TABLE = "CREATE TABLE IF NOT EXISTS firstbell_files (name text PRIMARY KEY, content bytea NOT NULL)"
_SAVE = "INSERT INTO firstbell_files VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET content = EXCLUDED.content"
_LOG = logging.getLogger("firstbell.state")


def restore(database: str, state: Path) -> tuple[str, ...]:
    """Fill a state without people from the copy, if there is one; the names of the files. Raises psycopg.Error."""
    if (state / people.FILE).exists():
        return ()
    with psycopg.connect(database) as db:
        db.execute(_TABLE)
        found: list[tuple[str, bytes]] = db.execute("SELECT name, content FROM firstbell_files").fetchall()
    # Last the people: only with them does a state count as filled, so one that was cut short is filled again.
    for name, content in sorted(found, key=lambda one: one[0] == people.FILE):
        if name in {people.FILE, people.KEY_FILE, COOKIE_SECRET}:
            write_new(state / name, content)
    return tuple(name for name, _ in found)


class StateCopy:
    """Keeps the copy up to date."""

    def __init__(self, database: str, state: Path) -> None:
        self._database = database
        self._state = state
        self._saved: dict[str, str] = {}

    async def run(self) -> None:
        """Over and over; a database that is away now is tried again."""
        told = ""
        while True:
            try:
                await asyncio.to_thread(self.save)
                told = ""
            except (psycopg.Error, sqlite3.Error, OSError) as error:
                if str(error) != told:
                    _LOG.warning("The copy of people and seats is behind, trying again: %s", error)
                told = str(error)
            await asyncio.sleep(_PAUSE)

    def save(self) -> tuple[str, ...]:
        """Write what has changed; the names of those files. Raises psycopg.Error, sqlite3.Error, OSError."""
        files = {name: self._state / name for name in (people.KEY_FILE, COOKIE_SECRET)}
        contents = {name: path.read_bytes() for name, path in files.items() if path.exists()}
        contents[people.FILE] = snapshot(self._state / people.FILE)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        changed = tuple(name for name in contents if self._saved.get(name) != digests[name])
        if changed:
            with psycopg.connect(self._database, connect_timeout=5) as db:
                db.execute(_TABLE)
                for name in changed:
                    db.execute(_SAVE, (name, contents[name]))
            self._saved |= digests
        return changed


def snapshot(path: Path) -> bytes:
    """A whole, consistent SQLite file as bytes, taken while others write. Raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
        with contextlib.closing(sqlite3.connect(":memory:")) as copy:
            db.backup(copy)
            return copy.serialize()
