"""What the hub remembers of people, apart from JupyterHub's own database: invitations, passwords, seats, homes.

One SQLite file. Hub and `firstbell.hub.control` may write at the same time (WAL and a busy timeout see to that).
Nothing in it lets anybody in by itself: passwords are argon2 hashes, codes are keyed digests, and seat cookies and
codes need the key beside the file as well.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.errors import FirstbellError
from firstbell.hub.logins import codes
from firstbell.hub.state.secrets import read_or_create
from firstbell.sqlite import transaction

FILE = "people.sqlite"
KEY_FILE = "people.key"
_VERSION = 2
_DAY = 86400.0
_ROOM = 1024**2
"""Bytes free below which a failure is the full disk's."""

_SCHEMA = """
CREATE TABLE invitations (
  digest BLOB PRIMARY KEY, username TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, used REAL
);
CREATE INDEX invitations_by_user ON invitations (username);
CREATE TABLE passwords (username TEXT PRIMARY KEY, hash TEXT NOT NULL, set_at REAL NOT NULL);
CREATE TABLE seats (
  number INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE, salt BLOB NOT NULL,
  generation INTEGER NOT NULL, code_digest BLOB NOT NULL UNIQUE, created REAL NOT NULL, last_seen REAL NOT NULL
);
CREATE TABLE homes (username TEXT PRIMARY KEY, created REAL NOT NULL, node TEXT NOT NULL DEFAULT '');
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, verb TEXT NOT NULL, username TEXT NOT NULL);
CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_NODES_OF_HOMES = "ALTER TABLE homes ADD COLUMN node TEXT NOT NULL DEFAULT ''"
"""From version 1 to 2."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One visitor of a seminar. The number is never given twice."""

    number: int
    username: str
    salt: bytes
    generation: int
    created: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open or used invitation; times are Unix seconds, `used` is None until it was."""

    username: str
    created: float
    expires: float
    used: float | None


@dataclass(frozen=True, slots=True)
class Order:
    """Something `firstbell.hub.control` asks the running hub to do: `end-sessions`, `stop`, `limit` or `remove`."""

    id: int
    verb: str
    username: str


def open_store(state_dir: Path) -> PeopleStore:
    """The store of a hub, with its key, both made at first use. Raises FirstbellError where the file is damaged."""
    return PeopleStore(state_dir / FILE, read_or_create(state_dir / KEY_FILE))


def seat_name(number: int) -> str:
    """The user name of a seat."""
    return f"seat-{number:03d}"


class PeopleStore:
    """The file. Every method is one short transaction; `OperationalError` (disk full, locked) reaches the caller."""

    def __init__(self, path: Path, key: bytes, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. Raises FirstbellError if it is damaged or of a later version."""
        self.path = path
        self.key = key
        self._now = now
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=5, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA secure_delete = ON")  # whoever is erased is in no free page either
        [(verdict,)] = db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise FirstbellError(
                f"the record of people is of version {version}, this Firstbell knows {_VERSION}",
                where=str(self.path),
                next_step="Use the Firstbell that wrote it, or a later one.",
            )
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        if version == 1:
            _to_second_version(db)
        return db

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db)

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

    # seats

    def new_seat(self, code_digest: Callable[[Seat], bytes], taken: Callable[[str], bool]) -> Seat:
        """The next seat. Numbers whose name is `taken` are skipped; a code that another seat has is drawn again."""
        with self._writing() as db:
            while True:
                last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'seats'").fetchone()
                number = (last[0] if last else 0) + 1
                now = self._now()
                seat = Seat(number, seat_name(number), secrets.token_bytes(16), 1, now, now)
                try:
                    row = (number, seat.username, seat.salt, 1, code_digest(seat), now, now)
                    db.execute("INSERT INTO seats VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                except sqlite3.IntegrityError:
                    continue
                if not taken(seat.username):
                    return seat
                db.execute("DELETE FROM seats WHERE number = ?", (number,))

    def skip_seats(self, usernames: Iterable[str]) -> None:
        """Never give out seats up to the highest of these names: their homes belong to somebody already."""
        numbers = [int(name[5:]) for name in usernames if name.startswith("seat-") and name[5:].isdecimal()]
        highest = max(numbers, default=0)
        with self._writing() as db:
            if db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'seats'").fetchone() is None:
                db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('seats', 0)")
            db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'seats'", (highest,))

    def last_seat(self) -> int:
        """The highest number that was ever given."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'seats'").fetchone()
        return int(row[0]) if row else 0

    def remove_seats(self, usernames: Iterable[str], before: int) -> None:
        """Remove seats that no person had, homes and all; numbers above `before` that nobody has are given again."""
        with self._writing() as db:
            db.executemany("DELETE FROM seats WHERE username = ?", [(name,) for name in usernames])
            homes = [row[0] for row in db.execute("SELECT username FROM homes WHERE username LIKE 'seat-%'")]
            [(highest,)] = db.execute("SELECT coalesce(max(number), 0) FROM seats").fetchall()
            used = max([before, highest, *(int(name[5:]) for name in homes if name[5:].isdecimal())])
            db.execute("DELETE FROM sqlite_sequence WHERE name = 'seats'")
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('seats', ?)", (used,))

    def seat(self, username: str) -> Seat | None:
        """The seat of that user name."""
        return self._seat("username", username)

    def seat_by_code(self, code_digest: bytes) -> Seat | None:
        """The seat whose present code has this digest."""
        return self._seat("code_digest", code_digest)

    def _seat(self, column: str, value: str | bytes) -> Seat | None:
        columns = "number, username, salt, generation, created, last_seen"
        row = self._db.execute(f"SELECT {columns} FROM seats WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
        return Seat(*row) if row else None

    def renew_seat(self, seat: Seat, code_digest: Callable[[Seat], bytes]) -> Seat:
        """The same seat one generation on: its earlier code and cookies are void."""
        generation = seat.generation
        while True:
            generation += 1
            renewed = Seat(seat.number, seat.username, seat.salt, generation, seat.created, self._now())
            row = (generation, code_digest(renewed), renewed.last_seen, seat.number)
            try:
                with self._writing() as db:
                    db.execute("UPDATE seats SET generation = ?, code_digest = ?, last_seen = ? WHERE number = ?", row)
            except sqlite3.IntegrityError:
                continue
            return renewed

    def touch_seat(self, username: str) -> None:
        """Somebody sat down; not worth failing a login for, so a full disk is passed over, nor waiting for the disk."""
        try:
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("UPDATE seats SET last_seen = ? WHERE username = ?", (self._now(), username))
        except sqlite3.OperationalError:
            return
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def seats(self) -> tuple[Seat, ...]:
        """All seats by number."""
        rows = self._db.execute("SELECT number, username, salt, generation, created, last_seen FROM seats ORDER BY 1")
        return tuple(Seat(*row) for row in rows)

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

    # messages from control to the hub, and what the hub keeps for itself

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


def _to_second_version(db: sqlite3.Connection) -> None:
    """Hub and `control` may open an old file in the same moment: whoever comes second finds nothing left to do."""
    with transaction(db):
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version == 1:
            db.execute(_NODES_OF_HOMES)
            db.execute(f"PRAGMA user_version = {_VERSION}")


def _unusable(path: Path, error: sqlite3.DatabaseError) -> FirstbellError:
    """Why the file could not be opened: on a full disk SQLite calls that an I/O error, and nothing is damaged."""
    if shutil.disk_usage(path.parent).free < _ROOM:
        return FirstbellError(
            f"the record of people cannot be opened, as its disk is full ({error})",
            where=str(path),
            next_step="Make room on the Docker Engine's disk (docker system df), then run: firstbell up",
        )
    return FirstbellError(
        f"the record of people is damaged ({error})",
        where=str(path),
        next_step="Put back the copy of your last backup, then run: firstbell up",
    )
