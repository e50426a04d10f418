"""Keeping JupyterHub in step with the roster and with what `firstbell.hub.control` asks for, while the hub runs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from jupyterhub import orm, roles
from jupyterhub.utils import maybe_future

from firstbell.coursework.rights import is_hub_admin
from firstbell.hub.logins.sessions import end_sessions, remove_user, stop_servers
from firstbell.hub.memory import limit_care, limits
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.people.kept import Order
from firstbell.hub.people.roster_file import RosterFile
from firstbell.hub.records.acts import COMMAND_LINE
from firstbell.hub.records.endings import Ending
from firstbell.hub.rehearsals import rehearsal
from firstbell.model.course import Course
from firstbell.model.roster import Roster

LOG = logging.getLogger("firstbell.people")

INTERVAL = 2.0
"""Seconds between two looks; removal is done within a few of them (what must hold is 60 s)."""


class PeopleWatch:
    """A task beside the hub that carries out orders and, with login roster, the roster's changes."""

    def __init__(self, app: Any, course: Course, store: PeopleStore, roster: RosterFile | None) -> None:
        self._app = app
        self._course = course
        self._store = store
        self._roster = roster
        self._is_first_look = True

    async def run(self) -> None:
        """Look every few seconds until cancelled. No failure ends it."""
        while True:
            try:
                await self.look()
            except Exception:
                LOG.exception("Looking after people failed; trying again")
                self._app.db.rollback()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """One round."""
        for order in self._store.orders():
            await self._carry_out(order)
        if self._roster is not None:
            roster = self._roster.current()
            if self._roster.is_known:
                await self._agree(roster)
        elif self._is_first_look:
            await self._agree_with_course()
        self._is_first_look = False

    async def _carry_out(self, order: Order) -> None:
        user = self._find(order.username)
        if user is not None:
            if order.verb == "end-sessions":
                end_sessions(user)
            elif order.verb == "stop":
                await stop_servers(self._app, user, Ending("stopped", COMMAND_LINE))
            elif order.verb == limits.ORDER:
                await limit_care.apply_ordered(self._app.context, user)
            elif order.verb == "remove":
                self._store.forget(order.username)
                await remove_user(self._app, user)
        self._store.done(order)

    async def _agree(self, roster: Roster) -> None:
        staff = set(self._course.access.staff) | {p.username for p in roster.people if is_hub_admin(p)}
        expected = (
            {p.username for p in roster.people} | set(self._course.access.staff) | rehearsal.expected(self._store)
        )
        present: dict[str, bool] = dict(self._app.db.query(orm.User.name, orm.User.admin).all())
        for name in sorted(expected - present.keys()):
            await self._add(name)
        for name in sorted(expected):
            if present.get(name, False) != (name in staff):
                self._set_admin(name, name in staff)
        for name in sorted(present.keys() - expected):
            await self._remove(name)

    async def _agree_with_course(self) -> None:
        """Without a roster: who was staff when the hub last ran and is no more loses what that gave them."""
        access = self._course.access
        # An authenticator may make admins by a rule of its own, such as admin_groups.
        if not any("admin" in option for option in access.options):
            for user in self._app.db.query(orm.User).filter(orm.User.admin).all():
                if user.name not in self._app.authenticator.admin_users:
                    self._set_admin(user.name, False)
        if access.login == "seminar":
            for (name,) in self._app.db.query(orm.User.name).all():
                if not self._app.authenticator.check_allowed(name):
                    await self._remove(name)

    def _find(self, name: str) -> Any:
        orm_user = orm.User.find(self._app.db, name)
        return self._app.users[orm_user] if orm_user else None

    async def _add(self, name: str) -> None:
        orm_user = orm.User(name=name)
        self._app.db.add(orm_user)
        roles.assign_default_roles(self._app.db, entity=orm_user)
        self._app.db.commit()
        await maybe_future(self._app.authenticator.add_user(self._app.users[orm_user]))

    def _set_admin(self, name: str, admin: bool) -> None:
        user = self._find(name)
        user.admin = admin
        roles.assign_default_roles(self._app.db, entity=user.orm_user)
        self._app.db.commit()
        LOG.info("%s %s staff", name, "is now" if admin else "is no longer")

    async def _remove(self, name: str) -> None:
        self._store.forget(name)
        try:
            await remove_user(self._app, self._find(name))
        except Exception:
            LOG.exception("%s left the roster and is locked out, but the server could not be stopped yet", name)
            self._app.db.rollback()
        else:
            LOG.info("%s left the roster: sessions ended, server stopped, files kept", name)
