"""Where servers tell of their use, and where people say that they are there or want theirs kept.

| request below `/hub/api/companion`, with a server's own token | answer |
|---|---|
| `POST /use` `{"age": 12.5, "busy": "kernel", "notebooks": [], "terminals": 0, "home": {}}` | `{"next": 60}` |
| `POST /idle` `{"still": true}` or `{"keep": 3600}` | how it stands from then on, as `idle` of `GET` has it |

`/hub/idle` is the same for people whose Jupyter has no companion.
"""

from __future__ import annotations

import json
import math
from typing import Any

from tornado import web

from firstbell.hub.companion import COMPANION, CompanionHandler
from firstbell.hub.context import HubContext
from firstbell.hub.idle.culler import IDLE, IdleCare
from firstbell.hub.memory.memory_page import LIMIT
from firstbell.hub.pages.shared import SmallForm
from firstbell.hub.people.server_owner import ServerOwners
from firstbell.hub.records.write import New
from firstbell.plan.home_quota import Fullness, home_stand

IDLE_PAGE = "idle"


class UseHandler(CompanionHandler):
    """A server's word of its use. Asked every minute by each: it costs no query and no write."""

    def post(self) -> None:
        """When the next word is wanted."""
        told = self.told()
        note_home(self.firstbell, self.user, told.get("home"))
        try:
            answer = care_of(self).word(self.user, told)
        except ValueError as error:
            raise web.HTTPError(400, str(error)) from None
        self.finish(json.dumps(answer))


def note_home(context: HubContext, user: str, told: object) -> None:
    """How full the home is; that it holds more than it may, or takes no more, comes into the record once."""
    homes = context.course.homes
    before, use = context.home_uses.take(user, told)
    if use is None:
        return
    was = home_stand(before, homes).fullness if before else Fullness.OK
    stand = home_stand(use, homes)
    if stand.fullness is not was and stand.fullness in {Fullness.OVER, Fullness.FULL}:
        context.usage.note(New(LIMIT, "home", whom=user, words=f"{stand.fullness}: {stand.used}"))


class IdleHandler(CompanionHandler):
    """What the companion's buttons say."""

    def post(self) -> None:
        """Of the owner's own server."""
        care, told = care_of(self), self.told()
        if told.get("still") is True:
            care.still_here(self.user)
        else:
            care.keep(self.user, seconds_of(told.get("keep")))
        self.finish(json.dumps(care.stands(self.user)))


class IdlePage(SmallForm):
    """`/hub/idle`: how long one's own server goes on."""

    @web.authenticated
    async def get(self) -> None:
        """Of a server that runs; else there is nothing to say."""
        await self._tell()

    @web.authenticated
    async def post(self) -> None:
        """Still here, or keep it."""
        name, care = self.current_user.name, care_of(self)
        if self.current_user.spawner.ready:
            if self.get_argument("still", ""):
                care.still_here(name)
            else:
                care.keep(name, seconds_of(self.get_argument("keep", "")))
        self.redirect(self.hub_url(IDLE_PAGE))

    async def _tell(self) -> None:
        stands = care_of(self).stands(self.current_user.name) if self.current_user.spawner.ready else None
        await self.show("idle.html", stands=stands)


def care_of(handler: Any) -> IdleCare:
    """The hub's."""
    care: IdleCare = handler.settings[IDLE]
    return care


def seconds_of(told: object) -> float:
    """For how long to keep it. Raises HTTPError 400."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        raise web.HTTPError(400, "keep is a number of seconds.")
    try:
        seconds = float(told)
    except ValueError:
        raise web.HTTPError(400, "keep is a number of seconds.") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise web.HTTPError(400, "keep is a number of seconds.")
    return seconds


def idle_handlers(owners: ServerOwners) -> list[Any]:
    """Routes under the hub's prefix."""
    known = {"owners": owners}
    return [
        (f"/{IDLE_PAGE}", IdlePage),
        (f"{COMPANION}/use", UseHandler, known),
        (f"{COMPANION}/idle", IdleHandler, known),
    ]
