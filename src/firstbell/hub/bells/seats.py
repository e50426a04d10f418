"""What only the hub can do for its bells' service: make seats that nobody has, and users who have never been here."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub import orm, roles
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.utils import maybe_future
from tornado.web import HTTPError

from firstbell.hub.bells.values import SEATS_AT_ONCE
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.logins.seats import Seats
from firstbell.hub.starts.asked import BELLS_SERVICE

SEATS_PATH = "api/firstbell/seats"


class SeatsHandler(APIHandler):
    """POST `{"seats": 3}` or `{"names": ["ada"]}`, with the service's own token; answers `{"names": [...]}`."""

    async def post(self) -> None:
        """Make new seats with their users, or the users of people who may enter but have never been here."""
        if not isinstance(self.current_user, orm.Service) or self.current_user.name != BELLS_SERVICE:
            raise HTTPError(403)
        context: HubContext = self.settings[SETTING]
        wanted = self.get_json_body() or {}
        names = wanted.get("names") or self._new_seats(context, wanted.get("seats", 0))
        self.write(json.dumps({"names": [name for name in names if await self._has_user(name)]}))

    def _new_seats(self, context: HubContext, count: object) -> list[str]:
        if context.course.access.login != "seminar" or not isinstance(count, int) or not 0 < count <= SEATS_AT_ONCE:
            raise HTTPError(400, "seats are a seminar's")
        seats, staff = Seats(context.store, context.course.name), set(context.course.access.staff)

        def is_taken(name: str) -> bool:
            return name in staff or self.find_user(name) is not None

        return [seats.new(taken=is_taken).username for _ in range(count)]

    async def _has_user(self, name: object) -> bool:
        """See that there is this user; False for somebody who may not enter."""
        authenticator: Any = self.authenticator
        if not isinstance(name, str) or not await maybe_future(authenticator.check_allowed(name, None)):
            return False
        if self.find_user(name) is not None:
            return True
        orm_user = orm.User(name=name)
        self.db.add(orm_user)
        roles.assign_default_roles(self.db, entity=orm_user)
        self.db.commit()
        await maybe_future(authenticator.add_user(self.user_from_username(name)))
        return True
