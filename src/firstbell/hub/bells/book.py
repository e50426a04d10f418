"""What bells have ordered and what became of it: the memory that hub, service and `firstbell.hub.bell_control` share.

Each step is written before it is acted upon, and each is one transaction, so that whoever is killed in the middle finds
where to go on: nothing is forgotten, and nobody is given what somebody else has.
"""
# ruff: noqa: S608 - what is put into the queries is our own: question marks, states, conditions

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from firstbell.hub.bells.tables import BellTables, never_in_the_way
from firstbell.hub.bells.values import WAITING, At, Place, Ring, as_text, of_text
from firstbell.plan.bells import Occurrence

MOST_FAILURES = 3
"""Starts of one server that may fail before a bell gives it up."""
_KEPT = 90 * 86400.0
"""Seconds for which a bell that is over is remembered."""
_NOBODY: frozenset[str] = frozenset()
_NO_SEAT: str | None = None


class BellBook(BellTables):
    """The file. Every method is one short transaction; sqlite3.OperationalError (disk full) reaches the caller."""

    # what the hub asks and says

    @never_in_the_way(_NOBODY)
    def waiting(self) -> frozenset[str]:
        """Whose servers run, or are about to, without anybody having come: they fill no room."""
        [version] = self.db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            rows = self.db.execute(f"SELECT username FROM places WHERE state IN ({_marks(WAITING)})", WAITING)
            self._version, self._waiting = version, frozenset(name for (name,) in rows)
        return self._waiting

    def ordered(self, username: str) -> Place | None:
        """The place for which this start is, if a bell ordered it and nobody has come."""
        return self.place(username) if username in self.waiting() else None

    @never_in_the_way(None)
    def arrived(self, username: str) -> None:
        """The person is here: the server is theirs from now on. Costs nothing where no bell waits for them."""
        if username in self.waiting():
            self._take(username, WAITING)

    @never_in_the_way(None)
    def is_ready(self, username: str) -> None:
        """The server that a bell ordered is up; one that is late waits for its person as long as if it were not."""
        with self.writing() as db:
            db.execute(
                "UPDATE places SET state = ?1, ready = ?2, until = max(until, ?2 + grace), why = ''"
                " WHERE username = ?3 AND state IN (?4, ?5)",
                (At.READY, self.now(), username, At.WANTED, At.ORDERED),
            )
            self._go_on(db, username)
            db.execute(
                "UPDATE people SET ready = ? WHERE username = ? AND ready IS NULL AND key IN"
                " (SELECT key FROM rings WHERE state = 'begun')",
                (self.now(), username),
            )

    def _go_on(self, db: sqlite3.Connection, username: str) -> None:
        """A late ringing that gets on is not over: its grace counts from the server that is ready last."""
        begun = (
            "SELECT key FROM people JOIN rings USING (key) WHERE username = ?1 AND rings.state = 'begun'"
            " AND EXISTS (SELECT 1 FROM places WHERE username = ?1 AND state = 'ready')"
        )
        grace = "(SELECT grace FROM places WHERE username = ?1)"
        db.execute(f"UPDATE rings SET ends = max(ends, ?2 + {grace}) WHERE key IN ({begun})", (username, self.now()))
        db.execute(
            f"UPDATE places SET until = max(until, ?2 + {grace}) WHERE state IN ('wanted', 'ordered') AND username IN"
            f" (SELECT username FROM people WHERE key IN ({begun}))",
            (username, self.now()),
        )

    @never_in_the_way(None)
    def has_failed(self, username: str, why: str, *, counts: bool = True) -> None:
        """The start did not succeed; it is tried again: some times only, where it `counts` against the server."""
        with self.writing() as db:
            db.execute(
                "UPDATE places SET failures = failures + ?1, why = ?, tried = ?,"
                " state = CASE WHEN failures + ?1 >= ? THEN ? ELSE ? END WHERE username = ? AND state IN (?, ?)",
                (int(counts), why, self.now(), MOST_FAILURES, At.FAILED, At.WANTED, username, At.WANTED, At.ORDERED),
            )

    @never_in_the_way(_NO_SEAT)
    def hand_out(self) -> str | None:
        """A prepared seat for somebody new, theirs from this moment; two who ask at once get two.

        One that runs, else one that starts, else a spare one.
        """
        order = (At.READY, At.ORDERED, At.WANTED, At.SPARE)
        rank = " ".join(f"WHEN '{state}' THEN {number}" for number, state in enumerate(order))
        with self.writing() as db:
            row = db.execute(
                f"UPDATE places SET state = ? WHERE username = (SELECT username FROM places WHERE seat AND state IN"
                f" ({_marks(order)}) ORDER BY CASE state {rank} END, ready, username LIMIT 1) RETURNING username",
                (At.TAKEN, *order),
            ).fetchone()
            if row is not None:
                self._note_taken(db, row[0])
        return str(row[0]) if row else None

    def _take(self, username: str, states: tuple[At, ...]) -> bool:
        with self.writing() as db:
            changed = db.execute(
                f"UPDATE places SET state = ? WHERE username = ? AND state IN ({_marks(states)})",
                (At.TAKEN, username, *states),
            ).rowcount
            if changed:
                self._note_taken(db, username)
        return bool(changed)

    def _note_taken(self, db: sqlite3.Connection, username: str) -> None:
        db.execute(
            "UPDATE people SET taken = ? WHERE username = ? AND taken IS NULL AND key IN"
            " (SELECT key FROM rings WHERE state = 'begun')",
            (self.now(), username),
        )

    # ringings

    def begin(self, ring: Occurrence, state: str = "begun", wanted: int = 0) -> bool:
        """A ringing begins (or is noted as missed); whether it is new."""
        at, ends = ring.at.timestamp(), max(ring.ends.timestamp(), ring.at.timestamp() + 1)
        with self.writing() as db:
            row = (ring.key, at, ends, as_text(ring), state, self.now(), wanted)
            return bool(
                db.execute(
                    "INSERT OR IGNORE INTO rings (key, at, ends, occurrence, state, began, wanted)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).rowcount
            )

    def known(self) -> set[str]:
        """The keys of all ringings that were begun or missed."""
        return {key for (key,) in self.db.execute("SELECT key FROM rings")}

    def active(self) -> tuple[Ring, ...]:
        """The ringings that are begun and not over, soonest first."""
        return self._rings("WHERE rings.state = 'begun'")

    def rings(self, newest: int = 20) -> tuple[Ring, ...]:
        """What rang last, newest first."""
        return tuple(reversed(self._rings()))[:newest]

    def ring(self, key: str) -> Ring | None:
        """One of them."""
        found = self._rings("WHERE key = ?", key)
        return found[0] if found else None

    def _rings(self, where: str = "", *values: object) -> tuple[Ring, ...]:
        rows = self.db.execute(
            "SELECT occurrence, rings.state, began, wanted, done, count(people.ready), count(taken),"
            " sum(places.state = 'failed'), ends FROM rings LEFT JOIN people USING (key)"
            f" LEFT JOIN places USING (username) {where} GROUP BY key ORDER BY at, key",
            values,
        ).fetchall()
        return tuple(
            Ring(of_text(text), state, began, wanted, done, ends, min(ready, wanted or ready), taken, failed or 0)
            for text, state, began, wanted, done, ready, taken, failed, ends in rows
        )

    def close_ring(self, key: str) -> None:
        """It is over; what is older than three months is forgotten."""
        with self.writing() as db:
            db.execute("UPDATE rings SET state = 'over' WHERE key = ?", (key,))
            db.execute("DELETE FROM rings WHERE state != 'begun' AND ends < ?", (self.now() - _KEPT,))
            db.execute("DELETE FROM people WHERE key NOT IN (SELECT key FROM rings)")
            # A place ends with the last ringing that wanted it; seats that nobody has stay spare.
            db.execute(
                "DELETE FROM places WHERE state IN (?, ?) AND username NOT IN"
                " (SELECT username FROM people JOIN rings USING (key) WHERE rings.state = 'begun')",
                (At.TAKEN, At.FAILED),
            )

    def is_all_ready(self, key: str) -> None:
        """From now on everybody it is for has a server."""
        with self.writing() as db:
            db.execute("UPDATE rings SET done = ? WHERE key = ? AND done IS NULL", (self.now(), key))

    # places

    def want(self, ring: Occurrence, usernames: Iterable[str], running: Iterable[str] = ()) -> None:
        """These people's servers are wanted for `ring`; those of `running` run already and are their people's."""
        at_work = set(running)
        with self.writing() as db:
            for name in usernames:
                self._want(db, ring, name, at_work=name in at_work, seat=False)
            self._count(db, ring)

    def want_seats(self, ring: Occurrence, usernames: Iterable[str]) -> None:
        """These seats are kept ready for `ring`."""
        with self.writing() as db:
            for name in usernames:
                self._want(db, ring, name, at_work=False, seat=True)
            self._count(db, ring)

    def _want(self, db: sqlite3.Connection, ring: Occurrence, name: str, *, at_work: bool, seat: bool) -> None:
        place = self.place(name)
        if db.execute("SELECT 1 FROM people WHERE key = ? AND username = ?", (ring.key, name)).fetchone():
            return
        waits = place is not None and place.state in WAITING
        if seat and place is not None and place.state is not At.SPARE and not waits:
            return  # somebody was given it in this moment
        is_here = at_work and not waits
        ready = self.now() if is_here else place.ready if place and waits else None
        taken = self.now() if is_here else None
        db.execute("INSERT INTO people VALUES (?, ?, ?, ?)", (ring.key, name, ready, taken))
        if is_here:
            return
        ends = max(ring.ends.timestamp(), ring.at.timestamp() + 1)
        if place is not None and waits:
            values = (max(place.until, ends), place.kernels or ring.kernels, ring.grace, name)
            db.execute("UPDATE places SET until = ?, kernels = ?, grace = max(grace, ?) WHERE username = ?", values)
        else:
            db.execute(
                "INSERT OR REPLACE INTO places (username, state, until, kernels, seat, grace)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, At.WANTED, ends, ring.kernels, seat, ring.grace),
            )

    def _count(self, db: sqlite3.Connection, ring: Occurrence) -> None:
        [people] = db.execute("SELECT count(*) FROM people WHERE key = ?", (ring.key,)).fetchone()
        db.execute("UPDATE rings SET wanted = ? WHERE key = ?", (ring.seats or people, ring.key))

    def people(self, key: str) -> frozenset[str]:
        """Whom a ringing is for."""
        return frozenset(name for (name,) in self.db.execute("SELECT username FROM people WHERE key = ?", (key,)))

    def place(self, username: str) -> Place | None:
        """Somebody's place."""
        found = self._places("WHERE username = ?", username)
        return found[0] if found else None

    def places(self, *states: At) -> tuple[Place, ...]:
        """Those in one of the states, in the order in which they are to be started."""
        return self._places(f"WHERE state IN ({_marks(states)})", *states)

    def _places(self, where: str, *values: object) -> tuple[Place, ...]:
        rows = self.db.execute(
            f"SELECT username, state, until, kernels, seat, tried, ready, failures, why FROM places {where}"
            " ORDER BY failures, until, username",
            values,
        )
        return tuple(Place(n, At(s), u, bool(k), bool(seat), *rest) for n, s, u, k, seat, *rest in rows)

    def order(self, username: str) -> bool:
        """Its start is about to be asked for; False if somebody came for it meanwhile."""
        return self._move(username, (At.WANTED,), At.ORDERED, tried=self.now())

    def again(self, username: str) -> None:
        """Its start came to nothing by no fault of its own: a hub that ended, say."""
        self._move(username, (At.ORDERED, At.READY), At.WANTED)

    def retire(self, username: str) -> bool:
        """Nobody came: from this moment it is given to nobody. False if somebody came after all."""
        return self._move(username, (*WAITING, At.FAILED), At.STOPPING)

    def take_back(self, key: str) -> frozenset[str]:
        """The seats of a ringing for which nobody has come, from now on given to nobody."""
        states = (*WAITING, At.FAILED, At.SPARE)
        with self.writing() as db:
            rows = db.execute(
                f"UPDATE places SET state = ? WHERE seat AND state IN ({_marks(states)}) AND username IN"
                " (SELECT username FROM people WHERE key = ?) RETURNING username",
                (At.STOPPING, *states, key),
            ).fetchall()
        return frozenset(name for (name,) in rows)

    def forget(self, usernames: Iterable[str]) -> None:
        """These names may become somebody else's: nothing of theirs is known any more."""
        names = [(name,) for name in usernames]
        with self.writing() as db:
            db.executemany("DELETE FROM places WHERE username = ?", names)
            db.executemany("DELETE FROM people WHERE username = ?", names)

    def stopped(self, username: str) -> None:
        """It does not run any more: a seat is spare, any other place is done with."""
        place = self.place(username)
        if place is not None and place.is_seat:
            self._move(username, (At.STOPPING,), At.SPARE)
        elif place is not None:
            with self.writing() as db:
                db.execute("DELETE FROM places WHERE username = ? AND state = ?", (username, At.STOPPING))

    def _move(self, username: str, states: tuple[At, ...], to: At, tried: float | None = None) -> bool:
        with self.writing() as db:
            changed = db.execute(
                "UPDATE places SET state = ?, tried = coalesce(?, tried)"
                f" WHERE username = ? AND state IN ({_marks(states)})",
                (to, tried, username, *states),
            ).rowcount
        return bool(changed)


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
