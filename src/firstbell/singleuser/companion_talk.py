"""What the companion in a page asks: passed on to the hub with the server's own token, and only for its owner.

The hub knows by the token whose server asks, so nothing here says who anybody is. Others who are let in, staff who look
after somebody, get the memory and nothing else: they cannot hand in, or read, in the owner's name.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from jupyter_server.base.handlers import APIHandler
from tornado import web

from . import companion_page, room
from .home_watch import HomeWatch
from .hub import Hub, HubTrouble
from .settings import Settings
from .used import Watch

_NOTHING = (401, 403, 404)
"""A hub that has no such page, or whose server this is no longer, has nothing to tell: no reason to disturb anybody."""
_MOST_IDS = 200
_TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Talk(APIHandler):  # type: ignore[misc,unused-ignore]
    _track_activity = False  # a page that only looks uses nothing

    def initialize(self, hub: Hub, settings: Settings, watch: Watch, home: HomeWatch | None = None) -> None:
        self.hub = hub
        self.home = home
        self.told = settings
        self.watch = watch

    @property
    def is_owner(self) -> bool:
        return bool(self.told.user) and getattr(self.current_user, "username", None) == self.told.user

    def note_use(self) -> None:
        """As jupyter_server does for requests that are a use by themselves."""
        self.watch.touch()
        self.settings["api_last_activity"] = datetime.now(timezone.utc)

    def need_owner(self) -> None:
        if not self.is_owner:
            raise web.HTTPError(403, f"This is {self.told.user}'s server: only they can do that here.")

    def asked(self) -> dict[str, Any]:
        body = self.get_json_body()
        if not isinstance(body, dict):
            raise web.HTTPError(400, "What was sent is no JSON object.")
        return body

    async def pass_on(self, method: str, path: str, told: dict[str, Any] | None = None) -> None:
        """Asks the hub, and answers what it answered."""
        try:
            status, answer = await self.hub.call(method, path, told)
        except HubTrouble as trouble:
            self.log.info("firstbell: %s", trouble.message)
            self.answer(503, {"message": "The hub does not answer at the moment.", "away": True})
            return
        if status >= 500:
            answer = {"message": f"The hub has a trouble of its own ({status}).", "away": True}
            status = 503
        elif "error" in answer:
            answer = {"message": str(answer["error"])}
        self.answer(status, answer)

    def answer(self, status: int, answer: dict[str, Any]) -> None:
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer) if status != 204 else None)


class News(_Talk):
    """``firstbell/companion``: messages, assignments and links as the hub has them, and the memory.

    ``?used=1`` says that somebody did something in the page since it last asked.
    """

    @web.authenticated
    async def get(self) -> None:
        if not self.is_owner:
            self.answer(200, {"own": False, "memory": memory({})})
            return
        self.watch.attended()
        is_used = self.get_query_argument("used", "") == "1"
        if is_used:
            self.note_use()
        answer, away = {}, False
        try:
            status, found = await self.hub.call("GET", "/companion?used=1" if is_used else "/companion")
            if status == 200:
                answer = found
            away = status not in (200, *_NOTHING)
        except HubTrouble as trouble:
            self.log.debug("firstbell: %s", trouble.message)
            away = True
        home = self.home.for_owner() if self.home else {}
        self.answer(200, {**answer, "own": True, "away": away, "memory": memory(answer), "home": home})


class Read(_Talk):
    """``firstbell/companion/read``: the owner has read these messages."""

    @web.authenticated
    async def post(self) -> None:
        self.need_owner()
        ids = self.asked().get("ids")
        if not isinstance(ids, list) or len(ids) > _MOST_IDS or not all(isinstance(one, (int, str)) for one in ids):
            raise web.HTTPError(400, "The messages that were read are missing.")
        await self.pass_on("POST", "/companion/read", {"ids": ids})


class Idle(_Talk):
    """``firstbell/companion/idle``: the owner is still there, or wants the server kept."""

    @web.authenticated
    async def post(self) -> None:
        self.need_owner()
        told = self.asked()
        if told.get("still") is True:
            self.note_use()
            await self.pass_on("POST", "/companion/idle", {"still": True})
            return
        seconds = told.get("keep")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds < 2**31:
            raise web.HTTPError(400, "For how long is missing.")
        await self.pass_on("POST", "/companion/idle", {"keep": seconds})


class MakeRoom(_Talk):
    """``firstbell/companion/make-room``: the owner's trash and caches are emptied."""

    @web.authenticated
    async def post(self) -> None:
        self.need_owner()
        if self.home is None:
            raise web.HTTPError(404)
        self.note_use()
        await self.home.make_room()
        self.answer(200, self.home.for_owner())


class HandIn(_Talk):
    """``firstbell/companion/hand-in``: have the owner's assignment taken, and ask how far that is."""

    @web.authenticated
    async def post(self) -> None:
        self.need_owner()
        name = self.asked().get("assignment")
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise web.HTTPError(400, "The assignment's name is missing.")
        await self.pass_on("POST", "/companion/hand-in", {"assignment": name})

    @web.authenticated
    async def get(self) -> None:
        self.need_owner()
        task = self.get_query_argument("task", "")
        if not _TASK.fullmatch(task):
            raise web.HTTPError(400, "The number of the hand-in is missing.")
        await self.pass_on("GET", "/companion/hand-in?" + urlencode({"task": task}))


class Script(web.RequestHandler):
    """The companion itself: the same for everybody, with nothing of anybody in it."""

    def get(self) -> None:
        plain, packed = companion_page.script()
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            plain = packed
        self.finish(plain)


# jupyter_server >= 2.13 refuses handlers that do not say who may call them; its decorator leaves this mark.
setattr(Script.get, "__allow_unauthenticated", True)


def memory(answer: dict[str, Any]) -> dict[str, int]:
    """Bytes used and allowed, as far as kernel and, where it knows no limit, hub say it; empty where neither does."""
    found: dict[str, int] = {}
    try:
        used, limit = room.used()
        found = {"used": used, **({"limit": limit} if limit else {})}
    except (OSError, ValueError):
        pass
    said = answer.get("memory")
    told = said.get("limit") if isinstance(said, dict) else None
    if isinstance(told, int) and told > 0:
        found.setdefault("limit", told)
    return found


def install(app: web.Application, hub: Hub, settings: Settings, watch: Watch, home: HomeWatch | None = None) -> None:
    """Adds the handlers below the server's prefix."""
    base = re.escape(settings.prefix + "firstbell/companion")
    told = {"hub": hub, "settings": settings, "watch": watch, "home": home}
    handlers: list[Any] = [
        (base, News, told),
        (base + "/read", Read, told),
        (base + "/idle", Idle, told),
        (base + "/make-room", MakeRoom, told),
        (base + "/hand-in", HandIn, told),
        (base + r"/[0-9a-f]{32}\.js", Script),
    ]
    app.add_handlers(".*$", handlers)
