"""Acts through JupyterHub's own admin page, spawn page and API: in the same record as those of our pages.

All of them are requests to JupyterHub's API (the admin page is a script that calls it) or to its spawn page. So the one
place is before the handlers of the API that change something: who of the staff it is, and whom it is about, is written
down, and only then it is done. Who does something to themselves, students and the hub's own services are not noted;
but whoever stops a server is who its end is of in the record.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import unquote

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.handlers.pages import SpawnHandler
from tornado.web import HTTPError

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.pages.staff_page import person_of, rights_of_user
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.deeds import SHARE, START, STOP, TOKEN, TOLD, ended, words_of
from firstbell.hub.records.endings import UNTAKEN, Ending, ends_by
from firstbell.hub.starts.asked import BELLS_SERVICE

LOG = logging.getLogger("firstbell.acts")

REMOVE, CHANGE = "remove", "change"
_ABOUT = {"users", "shares", "share-codes"}
"""What in the API is followed by somebody's name."""
_WHAT = {("POST", "server"): START, ("DELETE", "server"): STOP, ("POST", "tokens"): TOKEN, ("DELETE", ""): REMOVE}
"""By method, and what follows the name."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST = 200


def recorded(routes: Iterable[Any]) -> list[Any]:
    """JupyterHub's routes, of which those of its API write down what staff do. Logging in is told by `note_entry`."""
    return [_recorded(route) for route in routes]


def _recorded(route: Any) -> Any:
    path, handler, *rest = route
    before: type[Any]
    if issubclass(handler, SpawnHandler):
        before = _Spawn
    elif issubclass(handler, LogoutHandler):
        before = _Logout
    elif issubclass(handler, APIHandler) and "/api/" in path and "/api/oauth2/" not in path:
        before = _Api
    else:
        return route
    return (path, type(handler.__name__, (before, handler), {}), *rest)


class _Spawn(SpawnHandler):
    """Before JupyterHub's spawn page, which staff may open for others."""

    async def _wrap_spawn_single_user(self, user: Any, *where: Any, **options: Any) -> None:
        act = begun(self, START, user.name, "on the spawn page")
        try:
            await super()._wrap_spawn_single_user(user, *where, **options)
        finally:
            if act is not None:
                error = user.spawner._failed  # noqa: SLF001 - where JupyterHub's own pages look
                failed = f"failed: {words_of(error)}" if error else "failed: it did not start"
                over(self, act, START, user, "" if user.spawner.active else failed)


class _Logout(LogoutHandler):
    """Before JupyterHub's way out."""

    def _backend_logout_cleanup(self, name: str) -> None:
        super()._backend_logout_cleanup(name)
        self.settings[SETTING].usage.logout(name)


class _Api(APIHandler):
    """Before a handler of JupyterHub's API."""

    _act: int | None = None
    _what = ""
    _whom = ""
    _is_felt = True
    _ending: Ending | None = None

    async def prepare(self) -> None:
        """As JupyterHub's; then what is about to be done is written down. Raises HTTPError 503 where it cannot be."""
        await super().prepare()
        if self.request.method in _SAFE or self._finished:
            return
        self._what, self._whom = _read(self.request.method, self.request.path, self.hub.base_url)
        words = f"{self.request.method} {self.request.path}"
        if getattr(self, "_token_authenticated", False):
            words += " with a token"
        self._act = begun(self, self._what, self._whom[:_LONGEST], words)
        user = self.find_user(self._whom) if self._act is not None and self._what == STOP else None
        self._is_felt = user is None or bool(user.spawner.active)
        if self._what == STOP:
            self._ending = _ending(self.current_user)
            ends_by(self._server(), self._ending)

    def _server(self) -> Any:
        """The spawner of whom it is about, where there is one."""
        user = self.find_user(self._whom)
        return user.spawners.get("") if user is not None else None

    def on_finish(self) -> None:
        super().on_finish()
        spawner = self._server() if self._ending is not None and self.get_status() >= 400 else None
        if spawner is not None and spawner.ending is self._ending:
            spawner.ending = None  # it goes on
        if self._act is None:
            return
        act, self._act = self._act, None
        status = self.get_status()
        problem = f"{'failed' if status >= 500 else 'refused'}: {status} {self._reason}" if status >= 400 else ""
        user = self.find_user(self._whom) if self._whom else None
        over(self, act, self._what, user if self._is_felt else None, problem)


def _ending(who: Any) -> Ending:
    """Why a server ends that they are about to stop: JupyterHub's user or service."""
    if isinstance(who, orm.Service) and who.name == BELLS_SERVICE:
        return UNTAKEN
    return Ending("stopped", getattr(who, "name", ""))


def _read(method: str, path: str, hub: str) -> tuple[str, str]:
    """What a request is about to do, and to whom; nobody where it is about no one person."""
    kind, name, part, *_ = (*map(unquote, path.removeprefix(f"{hub}api/").split("/")), "", "", "")
    if kind not in _ABOUT:
        return CHANGE, ""
    if kind != "users":
        return SHARE if method == "POST" else CHANGE, name
    return _WHAT.get((method, part.replace("servers", "server")), CHANGE), name


def begun(handler: Any, what: str, whom: str, words: str = "") -> int | None:
    """The number of the act that the person of this request is about to do; None for what is no act of staff.

    Raises HTTPError 503 where it cannot be written down: then it is not done.
    """
    context: HubContext = handler.settings[SETTING]
    who = handler.current_user
    if getattr(who, "name", None) == whom or rights_of_user(context, who) is None:
        return None
    try:
        return context.acts.act(who.name, what, whom, words[:_LONGEST])
    except sqlite3.Error as error:
        LOG.error("%s: %s of %s could not be recorded, so it is not done: %s", who.name, what, whom, error)  # noqa: TRY400
        raise HTTPError(503, "This cannot be written down at present, so it is not done.") from error


def over(handler: Any, act: int, what: str, user: Any, problem: str = "") -> None:
    """How it ended, once that is known; whom it was done to is told. `user` is JupyterHub's, or None for nobody."""
    context: HubContext = handler.settings[SETTING]
    try:
        if user is not None and not problem and what in TOLD:
            who = handler.current_user.name
            context.acts.tell(who, [user.name], f"{person_of(context, who).name or who} {TOLD[what]}")
        future = _under_way(what, user)
        if future is not None and not problem:
            future.add_done_callback(partial(_over, context.acts, act, what, user.spawner))
        else:
            context.acts.result(act, problem or "done")
    except sqlite3.Error as error:
        LOG.error("How act %d ended could not be recorded: %s", act, error)  # noqa: TRY400


def _under_way(what: str, user: Any) -> asyncio.Future[Any] | None:
    """The start or the stop that goes on, where JupyterHub's own handlers look."""
    name = {START: "_spawn_future", STOP: "_stop_future"}.get(what)
    return getattr(user.spawner, name, None) if user is not None and name else None


def _over(acts: ActsBook, act: int, what: str, spawner: Any, future: asyncio.Future[Any]) -> None:
    words = "failed: it still runs" if what == STOP and spawner.active else ended(future)
    try:
        acts.result(act, words)
    except sqlite3.Error as error:
        LOG.error("How act %d ended could not be recorded (%s): %s", act, words, error)  # noqa: TRY400
