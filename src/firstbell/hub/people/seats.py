"""The seats of a seminar in the hub's record of people."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from firstbell.hub.people.tables import PeopleTables


@dataclass(frozen=True, slots=True)
class Seat:
    """One visitor of a seminar. The number is never given twice."""

    number: int
    username: str
    salt: bytes
    generation: int
    created: float
    last_seen: float


def seat_name(number: int) -> str:
    """The user name of a seat."""
    return f"seat-{number:03d}"


class Seats(PeopleTables):
    """Who sits where: a number is never given twice, a code is a keyed digest."""

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
