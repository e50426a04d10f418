"""What the commands order of the running hub, and what the hub keeps for itself, in its record of people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstbell.hub.people.tables import PeopleTables


@dataclass(frozen=True, slots=True)
class Order:
    """Something `firstbell.hub.control` asks the running hub to do: `end-sessions`, `stop`, `limit` or `remove`."""

    id: int
    verb: str
    username: str


class Kept(PeopleTables):
    """Orders, and texts by name."""

    def order(self, verb: str, username: str) -> None:
        """Ask the running hub to do something; it looks every few seconds."""
        self._db.execute("INSERT INTO orders (verb, username) VALUES (?, ?)", (verb, username))

    def orders(self) -> tuple[Order, ...]:
        """What is still to be done, oldest first."""
        return tuple(Order(*row) for row in self._db.execute("SELECT id, verb, username FROM orders ORDER BY id"))

    def done(self, order: Order) -> None:
        """That order is carried out."""
        self._db.execute("DELETE FROM orders WHERE id = ?", (order.id,))

    def keep(self, name: str, value: str) -> None:
        """Remember a text across restarts."""
        self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))

    def change(self, name: str, changed: Callable[[str | None], str]) -> None:
        """Remember another text in place of one, while nobody else does."""
        with self._writing() as db:
            row = db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, changed(row[0] if row else None)))

    def keep_unless(self, name: str, value: str, holds: Callable[[str], bool]) -> str:
        """Remember a text, unless one is remembered that `holds`; the one that is from now on."""
        with self._writing() as db:
            row = db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
            if row and holds(row[0]):
                return str(row[0])
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))
        return value

    def forget_kept(self, username: str) -> None:
        """Drop what is remembered of somebody: texts whose name ends with theirs, and their part of tables."""
        with self._writing() as db:
            for name, value in db.execute("SELECT name, value FROM kept").fetchall():
                if name.endswith(f":{username}"):
                    db.execute("DELETE FROM kept WHERE name = ?", (name,))
                elif (table := _table(value)) is not None and table.pop(username, None) is not None:
                    db.execute("UPDATE kept SET value = ? WHERE name = ?", (json.dumps(table), name))

    def kept(self, name: str) -> str | None:
        """A text remembered under that name."""
        row = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None


def _table(text: str) -> dict[str, Any] | None:
    """What somebody remembered as a table in JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
