"""What the hub remembers of people, apart from JupyterHub's own database: invitations, passwords, seats, homes.

One SQLite file. Hub and `firstbell.hub.control` may write at the same time (WAL and a busy timeout see to that).
Nothing in it lets anybody in by itself: passwords are argon2 hashes, codes are keyed digests, and seat cookies and
codes need the key beside the file as well.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.logins import codes
from firstbell.hub.people.kept import Kept
from firstbell.hub.people.seats import Seats
from firstbell.hub.state.secrets import read_or_create

FILE = "people.sqlite"
KEY_FILE = "people.key"
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open or used invitation; times are Unix seconds, `used` is None until it was."""

    username: str
    created: float
    expires: float
    used: float | None


def open_store(state_dir: Path) -> PeopleStore:
    """The store of a hub, with its key, both made at first use. Raises FirstbellError where the file is damaged."""
    return PeopleStore(state_dir / FILE, read_or_create(state_dir / KEY_FILE))


class PeopleStore(Seats, Kept):
    """The file. Every method is one short transaction; `OperationalError` (disk full, locked) reaches the caller."""

    # invitations and passwords

    def invite(self, username: str, days: float = 30) -> str:
        """A new personal code for `username`; an earlier one that was not used is void from now on."""
        code = codes.new_link_code()
        now = self._now()
        with self._writing() as db:
            db.execute("DELETE FROM invitations WHERE username = ? AND used IS NULL", (username,))
            row = (self._invitation_digest(code), username, now, now + days * _DAY)
            db.execute("INSERT INTO invitations (digest, username, created, expires) VALUES (?, ?, ?, ?)", row)
        return code

    def invited(self, code: str) -> str | None:
        """Whom an open code invites; None if it is unknown, used or expired. Uses nothing up."""
        row = self._db.execute(
            "SELECT username FROM invitations WHERE digest = ? AND used IS NULL AND expires > ?",
            (self._invitation_digest(code), self._now()),
        ).fetchone()
        return str(row[0]) if row else None

    def redeem(self, code: str, password_hash: str) -> str | None:
        """Use the code up and set the password, both or neither; the user name, or None if the code is not open."""
        with self._writing() as db:
            row = db.execute(
                "UPDATE invitations SET used = ?1 WHERE digest = ?2 AND used IS NULL AND expires > ?1"
                " RETURNING username",
                (self._now(), self._invitation_digest(code)),
            ).fetchone()
            if row is None:
                return None
            self._set_password(db, row[0], password_hash)
            return str(row[0])

    def _invitation_digest(self, code: str) -> bytes:
        return codes.digest(self.key, "invitation", code[:64].lower())

    def invitations(self) -> dict[str, Invitation]:
        """The latest invitation of each user."""
        rows = self._db.execute("SELECT username, created, expires, used FROM invitations ORDER BY created")
        return {row[0]: Invitation(*row) for row in rows}

    def password_hash(self, username: str) -> str | None:
        """The argon2 hash, if the person has set a password."""
        row = self._db.execute("SELECT hash FROM passwords WHERE username = ?", (username,)).fetchone()
        return str(row[0]) if row else None

    def set_password_hash(self, username: str, password_hash: str) -> None:
        """Replace the hash (after a login whose hash had older parameters)."""
        with self._writing() as db:
            self._set_password(db, username, password_hash)

    def _set_password(self, db: sqlite3.Connection, username: str, password_hash: str) -> None:
        db.execute(
            "INSERT INTO passwords VALUES (?1, ?2, ?3) ON CONFLICT (username) DO UPDATE SET hash = ?2, set_at = ?3",
            (username, password_hash, self._now()),
        )

    def with_password(self) -> set[str]:
        """Everybody who has set one."""
        return {row[0] for row in self._db.execute("SELECT username FROM passwords")}

    def forget(self, username: str) -> None:
        """Drop somebody's password and invitations: only a new invitation lets them in again."""
        with self._writing() as db:
            db.execute("DELETE FROM passwords WHERE username = ?", (username,))
            db.execute("DELETE FROM invitations WHERE username = ?", (username,))

    # homes

    def record_home(self, username: str, node: str = "") -> None:
        """From now on this user has a home; a start that does not find it must fail rather than make an empty one.

        `node` is the node of a cluster that has it; empty on one machine and where all nodes have it.
        """
        self._db.execute(
            "INSERT INTO homes VALUES (?1, ?2, ?3) ON CONFLICT (username) DO UPDATE SET node = ?3",
            (username, self._now(), node),
        )

    def home_node(self, username: str) -> str:
        """The node that has this user's home; empty where there is none, or none is known."""
        row = self._db.execute("SELECT node FROM homes WHERE username = ?", (username,)).fetchone()
        return str(row[0]) if row else ""

    def home_nodes(self) -> dict[str, str]:
        """All recorded homes with their nodes."""
        return dict(self._db.execute("SELECT username, node FROM homes").fetchall())

    def has_home(self, username: str) -> bool:
        """Whether a home was recorded."""
        return self._db.execute("SELECT 1 FROM homes WHERE username = ?", (username,)).fetchone() is not None

    def forget_home(self, username: str) -> bool:
        """The home was deleted on purpose: the next start makes a new one. Whether one was expected until now."""
        return self._db.execute("DELETE FROM homes WHERE username = ?", (username,)).rowcount > 0
