"""Pages and small endpoints that every kind of login shares: the room, the start of a server, static files, logout."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyterhub._xsrf_utils import _set_xsrf_cookie
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.handlers.pages import RootHandler, SpawnHandler
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat
from traitlets.config import Config

from firstbell.hub.bells.arrival import arrive
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.logins.handover import HandsOver
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.people.notes import notes_of
from firstbell.hub.starts.room import Standing
from firstbell.model.course import Course

_HUB = Path(__file__).parents[1]
TEMPLATES = _HUB / "templates"
STATIC = _HUB / "static"
COOKIE_DAYS = 400
"""As long as browsers keep a cookie at most."""
LONGEST_FORM = 16 * 1024
"""Bytes of a form; far more than name, password and token need."""

Route = tuple[str, type[web.RequestHandler]] | tuple[str, type[web.RequestHandler], dict[str, Any]]


def page_config(course: Course) -> Config:
    """What the pages need of JupyterHub: where templates are, what they may name, cookies that stay at home."""
    config = Config()
    config.JupyterHub.template_paths = [str(TEMPLATES)]
    config.JupyterHub.template_vars = template_vars(course)
    config.JupyterHub.tornado_settings.update({"cookie_options": {"samesite": "Lax"}})
    return config


def template_vars(course: Course) -> dict[str, Any]:
    """Names for the templates."""
    login = course.access.login
    return {
        "course_title": course.shown_title,
        "course_name": course.name,
        "login_kind": login if login in {"seminar", "roster"} else "external",
        "has_staff": bool(course.access.staff),
        "has_coursework": course.coursework is not None,
        "has_backups": course.backup is not None,
        "assets": {path.name: f"firstbell/static/{path.name}?v={_hash(path)}" for path in sorted(STATIC.iterdir())},
        "now": lambda _user: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def moment_in(course: Course, seconds: float) -> str:
    """Unix seconds in the course's time zone, for people."""
    return datetime.fromtimestamp(seconds, ZoneInfo(course.time_zone)).strftime("%Y-%m-%d %H:%M")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def room_full() -> SpawnException:
    """What a start is refused with while no seat is free; the error page then shows the way to the waiting page."""
    return SpawnException("All seats are taken at the moment.", reason="full", status_code=503)


class Page(HandsOver, BaseHandler):
    """A page of ours: kept out of caches and out of Referer headers."""

    @property
    def firstbell(self) -> HubContext:
        """What the parts of the hub share."""
        context: HubContext = self.settings[SETTING]
        return context

    @property
    def course(self) -> Course:
        """The course."""
        return self.firstbell.course

    @property
    def store(self) -> PeopleStore:
        """What is remembered of people."""
        return self.firstbell.store

    @property
    def template_namespace(self) -> dict[str, Any]:
        """As JupyterHub's, with what this person is told."""
        names: dict[str, Any] = super().template_namespace
        return names | {"notes": notes_of(self), "at": self.moment}

    def moment(self, seconds: float) -> str:
        """Unix seconds in the course's time zone, for people."""
        return moment_in(self.course, seconds)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")

    async def show(self, template: str, status: int = 200, **names: Any) -> None:
        """Finish with a template whose form can be sent for an hour from now."""
        self.set_status(status)
        token = self.xsrf_token
        if not self.current_user and self.request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
            _set_xsrf_cookie(self, self._xsrf_token_id, cookie_path=self.hub.base_url, xsrf_token=token)
        self.finish(await self.render_template(template, **names))

    def remember(self, name: str, value: str) -> None:
        """Set a long-lived cookie that scripts and other sites' requests do not get."""
        extra = {"secure": True} if self.course.is_https else {}
        self._set_cookie(
            name, value, encrypted=False, path=self.hub.base_url, expires_days=COOKIE_DAYS, samesite="Lax", **extra
        )

    def remove_cookie(self, name: str) -> None:
        """Forget it."""
        self.clear_cookie(name, path=self.hub.base_url)

    def cookie_values(self, name: str) -> list[str]:
        """All values under that name, the most specific path first: an older one must not hide the right one."""
        chunks = (chunk.strip().partition("=") for chunk in self.request.headers.get("Cookie", "").split(";"))
        return [value.strip('"') for key, _, value in chunks if key == name]

    def hub_url(self, *parts: str) -> str:
        """A path under the hub."""
        joined: str = url_path_join(self.hub.base_url, *parts)
        return joined

    def _validate_next_url(self, next_url: str) -> str:
        # The hub's front only leads on to where somebody without a "next" goes anyway: that redirect is spared.
        onwards: str = super()._validate_next_url(next_url)
        return "" if onwards == self.hub.base_url else onwards

    def with_next(self, url: str) -> str:
        """`url`, with the present `next` (if it stays on this site) carried along."""
        onwards = self._validate_next_url(self.get_argument("next", ""))
        return url_concat(url, {"next": onwards}) if onwards else url


class SmallForm(Page):
    """A page whose form is small: anything larger is refused before it is looked at."""

    longest = LONGEST_FORM

    async def prepare(self) -> None:
        if len(self.request.body) > self.longest:
            self._jupyterhub_user = None
            self._resolve_roles_and_scopes()
            self.request.body_arguments.clear()
            self.request.arguments.clear()
            raise web.HTTPError(413, "That was too long for this page.")
        await super().prepare()


class StartPage(SpawnHandler, Page):
    """`/hub/spawn`: as JupyterHub's, but through the room's door first, and failing on one page only."""

    async def prepare(self) -> None:
        await super().prepare()
        user = self.current_user
        if user is not None and self.path_args[:1] in ([], [user.name]):
            arrive(self.firstbell, user.name)

    async def _wrap_spawn_single_user(  # noqa: PLR0917 - JupyterHub's own; where both GET and POST start a server
        self, user: Any, server_name: str, display_name: str, spawner: Any, pending_url: str, options: Any = None
    ) -> None:
        if not self.firstbell.room.admit(user.name):
            self.redirect(self.with_next(self.hub_url("room")))
            return
        try:
            await super()._wrap_spawn_single_user(user, server_name, display_name, spawner, pending_url, options)
        except web.HTTPError:
            if not spawner._failed:  # noqa: SLF001
                raise
            self.redirect(pending_url)


class FrontPage(RootHandler, Page):
    """`/hub/`: leads on."""


class RoomPage(Page):
    """`/hub/room`: the waiting page of a full room. Without script it asks again by itself."""

    @web.authenticated
    async def get(self) -> None:
        """Wait here, or go on if a seat is free."""
        standing = self.firstbell.room.stand(self.current_user.name)
        onwards = self.with_next(self.hub_url("spawn"))
        if standing.may_enter:
            self.redirect(onwards)
            return
        await self.show("room.html", standing=standing, onwards=onwards)


class RoomStanding(Page):
    """`/hub/room/standing`: the heartbeat of the waiting page."""

    def get_content_type(self) -> str:
        return "application/json"

    async def get(self) -> None:
        """Place, number of waiting people, capacity."""
        if self.current_user is None:
            self.set_status(403)
            self.finish(json.dumps({"login": True}))
            return
        standing: Standing = self.firstbell.room.stand(self.current_user.name)
        answer = {"place": standing.place, "waiting": standing.waiting, "capacity": standing.capacity}
        self.finish(json.dumps(answer))


class RoomLeave(Page):
    """`/hub/room/leave`: sent by the waiting page as it is closed."""

    async def post(self) -> None:
        """The place is given up in a few seconds."""
        if self.current_user is not None:
            self.firstbell.room.leave(self.current_user.name)
        self.set_status(204)


class LogoutPage(LogoutHandler, Page):
    """`/hub/logout`: says that you are out, and how to come back, instead of logging straight in again."""

    async def render_logout_page(self) -> None:
        await self.show("logout.html")


class StaticFiles(web.StaticFileHandler):
    """Style, script and icons; the address carries a hash, so browsers may keep them."""

    def set_extra_headers(self, path: str) -> None:
        del path
        self.set_header("X-Content-Type-Options", "nosniff")


def common_handlers() -> list[Route]:
    """Routes under the hub's prefix that every login has; they come before JupyterHub's own."""
    return [
        (r"/", FrontPage),
        (r"/spawn", StartPage),
        (r"/spawn/([^/]+)", StartPage),
        (r"/spawn/([^/]+)/([^/]+)", StartPage),
        (r"/room", RoomPage),
        (r"/room/standing", RoomStanding),
        (r"/room/leave", RoomLeave),
        (r"/firstbell/static/(.*)", StaticFiles, {"path": str(STATIC)}),
    ]
