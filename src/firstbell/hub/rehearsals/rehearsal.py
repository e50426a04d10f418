"""A rehearsal in the hub: how its test people come in, and how the hub lets go of them.

A seminar's come through the real door and are marked there, a roster's log in with a password of their own. Where
somebody else's login stands before the course, each has a code for one entry, and that login is what is not rehearsed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from jupyterhub import orm
from tornado import web

from firstbell.hub.logins.sessions import end_sessions, remove_user
from firstbell.hub.pages.shared import SmallForm
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.rehearsals.book import COOKIE, PREFIX, Phase, RehearsalBook
from firstbell.model.roster import Person

LOG = logging.getLogger("firstbell.rehearsal")

_INTERVAL = 1.0
_AT_ONCE = 8


def book_of(store: PeopleStore) -> RehearsalBook:
    """The book beside the record of people."""
    return RehearsalBook(store.path.parent)


def is_rehearsal(handler: Any) -> bool:
    """Whether the request comes from a browser of the rehearsal that goes on now."""
    values = handler.cookie_values(COOKIE)
    return bool(values) and book_of(handler.store).is_open(values[0])


def test_person(store: PeopleStore, username: str) -> Person | None:
    """The test person of that name, while their rehearsal goes on."""
    if not username.startswith(PREFIX) or not book_of(store).may_enter(username):
        return None
    return Person(username, name="Rehearsal")


def expected(store: PeopleStore) -> set[str]:
    """Test people whom the roster need not name: not until the hub has removed them in order."""
    book = book_of(store)
    return set(book.people()) if book.rehearsal().phase in {Phase.OPEN, Phase.CLOSING} else set()


class RehearsalDoor(SmallForm):
    """`/hub/rehearsal/CODE`: one entry for one test person."""

    async def prepare(self) -> None:
        # The code must be in no log: whatever writes the request's address from here on writes this.
        self.request.uri = self.hub_url("rehearsal", "[secret]")
        await super().prepare()

    async def get(self, code: str) -> None:
        """In, or not found."""
        username = book_of(self.store).redeem(code)
        if not username:
            raise web.HTTPError(404)
        user = await self.auth_to_user({"name": username, "admin": False, "groups": None})
        self.set_login_cookie(user)
        user._auth_refreshed = time.monotonic()  # noqa: SLF001 - as JupyterHub's login_user does
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))


class RehearsalWatch:
    """A task beside the hub that removes a rehearsal's people once it is closed."""

    def __init__(self, app: Any, store: PeopleStore) -> None:
        self._app = app
        self._store = store
        self._book = book_of(store)

    async def run(self) -> None:
        """Look every second until cancelled. No failure ends it."""
        while True:
            try:
                await self.look()
            except Exception as error:
                LOG.exception("Clearing away after a rehearsal failed; trying again")
                self._app.db.rollback()
                self._book.failed(str(error))
            await asyncio.sleep(_INTERVAL)

    async def look(self) -> None:
        """One round: what has gone on for too long is closed, what is closed is cleared away."""
        rehearsal = self._book.rehearsal()
        if rehearsal.phase is Phase.OPEN and rehearsal.ends < time.time():
            LOG.warning("A rehearsal was left open; its people are removed")
            self._book.close()
        elif rehearsal.phase is Phase.CLOSING:
            await self._clear(self._book.people())

    async def _clear(self, names: Iterable[str]) -> None:
        """All out of their sessions first, so that nobody comes back; then their servers, a few at a time."""
        users = [user for name in names if (user := self._find(name))]
        for user in users:
            self._store.forget(user.name)
            end_sessions(user)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def remove(user: Any) -> None:
            async with gate:
                await remove_user(self._app, user)

        done = await asyncio.gather(*map(remove, users), return_exceptions=True)
        failures = [error for error in done if isinstance(error, BaseException)]
        if failures:
            raise failures[0]
        self._book.closed()
        LOG.info("The rehearsal is over: %d test people are out", len(users))

    def _find(self, name: str) -> Any:
        orm_user = orm.User.find(self._app.db, name)
        return self._app.users[orm_user] if orm_user else None
