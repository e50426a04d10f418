"""What the companion in JupyterLab asks of the hub: messages, what is due, and to hand in.

| request below `/hub/api/companion` | answer |
|---|---|
| `GET`; `used=1`: somebody is there | `messages`, `links`, `memory`, `idle`; with coursework `assignments` |
| `POST /read` `{"ids": [1]}` | 204 |
| `POST /hand-in` `{"assignment": "hw1"}` | 202 `{"task": 7}` |
| `GET /hand-in?task=7` | `{"state", "words", "receipt", "time", "files"}` |

The server asks with its own token, which acts for its owner and for nobody else, and the hub's clock counts. A refusal
is `{"error": "…"}` with 400 (it cannot be), 403 (no present server's token), 404, 409 (not now) or 503. Times are words
in the course's time zone, as on the hub's pages; `files` are paths.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tornado import web

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.coursework.counter import Opened
from firstbell.hub.coursework.rows import stage_of
from firstbell.hub.coursework.window import asked_of
from firstbell.hub.idle.culler import IDLE
from firstbell.hub.pages.shared import LONGEST_FORM, moment_in
from firstbell.hub.pages.staff_page import person_of
from firstbell.hub.people.server_owner import ServerOwners, token_in
from firstbell.model.coursework import Kind, State

COMPANION = "/api/companion"
_MOST_READ = 1000


class CompanionHandler(web.RequestHandler):
    """A request of somebody's server. It makes no login, no cookie, and nobody seems active by it."""

    user: str

    def initialize(self, owners: ServerOwners) -> None:
        self._owners = owners

    def prepare(self) -> None:
        """Find out whose server asks. Raises HTTPError 403, 413."""
        self.user = self._owners.name(self.firstbell, token_in(self.request.headers.get("Authorization", "")))
        if not self.user:
            raise web.HTTPError(403, reason="Only a server of this hub may ask, with its own token")
        if len(self.request.body) > LONGEST_FORM:
            raise web.HTTPError(413)

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """Cookies count for nothing here: another site's page can make no browser ask."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        words = str(getattr(error, "log_message", None) or self._reason).replace("%%", "%")
        self.finish(json.dumps({"error": words if status_code < 500 or status_code == 503 else self._reason}))

    def log_exception(self, *args: Any) -> None:
        """As usual, but without the token that tornado would quote from the headers."""
        self.request.headers.pop("Authorization", None)
        super().log_exception(*args)

    @property
    def firstbell(self) -> HubContext:
        """What the parts of the hub share."""
        context: HubContext = self.settings[SETTING]
        return context

    async def ask(self, question: Callable[[Opened], Any]) -> Any:
        """Of the coursework. Raises HTTPError."""
        return await asked_of(self.firstbell.coursework, question)

    def told(self) -> dict[str, Any]:
        """The request's JSON object. Raises HTTPError 400."""
        try:
            told = json.loads(self.request.body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise web.HTTPError(400, "That is no JSON object.")
        return told


class Look(CompanionHandler):
    """All that the companion shows."""

    async def get(self) -> None:
        """Only what the course has."""
        context, user = self.firstbell, self.user
        if self.get_argument("used", ""):
            context.uses.touch(user)
        hub = f"{context.course.base_url}hub/"
        answer: dict[str, Any] = {
            "messages": [
                {
                    "id": one.id,
                    "text": one.words,
                    "by": person_of(context, one.who).name or one.who,
                    "at": moment_in(context.course, one.at),
                }
                for one in context.acts.unread(user)
            ],
            "links": {"home": f"{hub}home"},
            "memory": {"limit": context.course.server.memory},
            "idle": self.settings[IDLE].stands(user),
        }
        if context.earlier:
            answer["links"]["earlier"] = f"{hub}files/earlier"
        if context.coursework:
            answer["links"]["coursework"] = f"{hub}coursework/mine"
            answer["assignments"] = await self.ask(lambda opened: _assignments(opened, user, time.time()))
        self.finish(json.dumps(answer))


class Read(CompanionHandler):
    """They have read what they were told."""

    def post(self) -> None:
        """Their own messages alone; others' numbers change nothing."""
        ids = self.told().get("ids")
        if not isinstance(ids, list) or len(ids) > _MOST_READ or not all(_is_number(one) for one in ids):
            raise web.HTTPError(400, "ids is a list of numbers of messages.")
        self.firstbell.acts.read_these(self.user, ids)
        self.set_status(204)
        self.clear_header("Content-Type")


class HandIn(CompanionHandler):
    """Hand in, and what became of it."""

    async def post(self) -> None:
        """Who hands in is whose server asks, and when is now; nothing else that the request says is looked at."""
        now = time.time()
        name, user = self.told().get("assignment"), self.user
        if not isinstance(name, str):
            raise web.HTTPError(400, "assignment is the name of one.")
        task = await self.ask(lambda opened: opened.acts.hand_in(name, user, now))
        self.set_status(202)
        self.finish(json.dumps({"task": task.id}))

    async def get(self) -> None:
        """One of their own hand-ins."""
        text, user = self.get_argument("task", ""), self.user
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise web.HTTPError(400, "task is the number that the hand-in was given.")
        self.finish(json.dumps(await self.ask(lambda opened: _hand_in(opened, user, int(text)))))


def _assignments(opened: Opened, user: str, now: float) -> list[dict[str, Any]]:
    """With a deadline, `left` is how many seconds there are until it, by the hub's clock; below zero it is past."""
    found = []
    for row in opened.report.student(user)["assignments"]:
        due = opened.book.deadline(row["assignment"], user)
        told = {"name": row["assignment"], "state": stage_of(row).value}
        told |= {name: row[name] for name in ("due", "handed_in", "receipt")}
        found.append(told | ({"left": round(due - now)} if due is not None else {}))
    return found


def _hand_in(opened: Opened, user: str, number: int) -> dict[str, Any]:
    task = opened.book.task(number)
    if task is None or task.user != user or task.kind is not Kind.HAND_IN:
        raise web.HTTPError(404, "You have no such hand-in.")
    files: list[str] = []
    if task.state is State.DONE and task.receipt:
        files = [file["path"] for file in opened.report.receipt(task.assignment, user, task.receipt)["files"]]
    return {
        "state": task.state.value,
        "words": task.words,
        "receipt": task.receipt,
        "time": moment_in(opened.course, task.asked),
        "files": files,
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def companion_handlers(owners: ServerOwners) -> list[Any]:
    """Routes under the hub's prefix; before JupyterHub's API."""
    known = {"owners": owners}
    return [(COMPANION, Look, known), (f"{COMPANION}/read", Read, known), (f"{COMPANION}/hand-in", HandIn, known)]
