"""Seats of a seminar: the cookie that brings a browser back, and the code that brings another device.

Both are HMACs over the seat's random salt and its generation with a key that is in no database: whoever reads the
database cannot make either, whoever has the key alone neither. Raising the generation voids all earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from firstbell.hub.logins import codes
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.people.seats import Seat

_COOKIE = re.compile(r"(seat-\d{3,9})\.([A-Za-z0-9_-]{43})")


class Seats:
    """The seats of one course."""

    def __init__(self, store: PeopleStore, course: str) -> None:
        self._store = store
        self._course = course

    def new(self, taken: Callable[[str], bool]) -> Seat:
        """A seat that nobody has or had; names for which `taken` answers yes are passed over."""
        return self._store.new_seat(self._code_digest, taken)

    def renew(self, seat: Seat) -> Seat:
        """A new code and cookie; the earlier ones are void."""
        return self._store.renew_seat(seat, self._code_digest)

    def code(self, seat: Seat) -> str:
        """The seat's code, 40 bits, for example `K7MP-2QXD`."""
        return codes.spelled(self._mac("rejoin", seat))

    def by_code(self, typed: str) -> Seat | None:
        """The seat of a code as somebody typed it."""
        code = codes.normalised(typed)
        return self._store.seat_by_code(self._digest(code)) if code else None

    def cookie(self, seat: Seat) -> str:
        """The value of the cookie: user name, dot, 256-bit MAC."""
        return f"{seat.username}.{codes.urlsafe(self._mac('cookie', seat))}"

    def by_cookie(self, value: str) -> Seat | None:
        """The seat a cookie speaks for; None if it is forged, of another course, or of an earlier generation."""
        match = _COOKIE.fullmatch(value)
        seat = self._store.seat(match[1]) if match else None
        return seat if seat and codes.same(value, self.cookie(seat)) else None

    def _mac(self, purpose: str, seat: Seat) -> bytes:
        return codes.digest(
            self._store.key, purpose, self._course, seat.username, seat.generation, codes.urlsafe(seat.salt)
        )

    def _code_digest(self, seat: Seat) -> bytes:
        return self._digest(self.code(seat))

    def _digest(self, code: str) -> bytes:
        return codes.digest(self._store.key, "code", self._course, code)
