"""`/hub/coursework/mine`: what is due for somebody, their hand-ins with receipts, their grades and feedback.

Everything here is of whoever is logged in: no address and no form names anybody.
"""

from __future__ import annotations

import time
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from tornado import web

from firstbell.coursework.files import regular
from firstbell.hub.coursework.counter import Opened
from firstbell.hub.coursework.rows import stage_of
from firstbell.hub.coursework.window import CourseworkForm
from firstbell.hub.pages.shared import Route

_LONGEST_PAGE = 32 * 1024**2
"""Bytes of a file of feedback that the hub shows; all of it is in its owner's files anyway."""
_SAFE = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'"
"""Feedback shows what somebody wrote and ran: it gets no script, no form, and none of this site's cookies or pages."""


class OwnPage(CourseworkForm):
    """What the pages below share."""

    @property
    def own_name(self) -> str:
        """The user name of whoever asks."""
        return str(self.current_user.name)

    def own_url(self, assignment: str = "") -> str:
        """Where their coursework is shown."""
        parts = ("on", quote(assignment, safe="")) if assignment else ()
        return self.hub_url("coursework", "mine", *parts)

    async def mine(self) -> list[dict[str, Any]]:
        """Their assignments, as they may know them."""
        user = self.own_name
        found: list[dict[str, Any]] = (await self.ask(lambda opened: opened.report.student(user)))["assignments"]
        return [one | {"stage": stage_of(one).value, "url": self.own_url(one["assignment"])} for one in found]

    async def one(self, assignment: str) -> dict[str, Any]:
        """One of theirs. Raises HTTPError 404, of others' too."""
        found = [one for one in await self.mine() if one["assignment"] == assignment]
        if not found:
            raise web.HTTPError(404, "You have no such assignment.")
        return found[0]


class MinePage(OwnPage):
    """All of theirs."""

    @web.authenticated
    async def get(self) -> None:
        """What is due, what is handed in, what has come back."""
        await self.show("mine.html", mine=await self.mine(), time_zone=self.course.time_zone)


class MyAssignment(OwnPage):
    """`/hub/coursework/mine/on/NAME`: one, with every receipt."""

    @web.authenticated
    async def get(self, assignment: str) -> None:
        """Receipts newest first, feedback once it was returned."""
        found, user = await self.one(assignment), self.own_name
        pages = await self.ask(lambda opened: feedback_of(opened, assignment, user)) if found["returned"] else {}
        feedback = [(name, f"{found['url']}/feedback/{quote(name)}") for name in pages]
        await self.show(
            "my_assignment.html", one=found, feedback=feedback, time_zone=self.course.time_zone, back=self.own_url()
        )


class HandInPage(OwnPage):
    """`/hub/coursework/mine/hand-in`: POST with `assignment`; who and when is what the hub knows."""

    @web.authenticated
    async def post(self) -> None:
        """Asked for, then shown as it goes."""
        now, user, assignment = time.time(), self.own_name, self.get_argument("assignment", "")[:100]
        await self.one(assignment)
        await self.ask(lambda opened: opened.acts.hand_in(assignment, user, now))
        self.redirect(self.own_url(assignment), status=303)


class MyReceipt(OwnPage):
    """`/hub/coursework/mine/on/NAME/receipt/RECEIPT`: what was taken, file by file."""

    @web.authenticated
    async def get(self, assignment: str, receipt: str) -> None:
        """Its manifest."""
        await self.one(assignment)
        user = self.own_name
        found = await self.ask(lambda opened: opened.report.receipt(assignment, user, receipt))
        await self.show("receipt.html", receipt=found, back=self.own_url(assignment), back_words=assignment)


class MyFeedback(OwnPage):
    """`/hub/coursework/mine/on/NAME/feedback/PATH`: a file of what was returned, as a page that can do nothing."""

    @web.authenticated
    async def get(self, assignment: str, path: str) -> None:
        """Pages are shown, anything else is given as a file."""
        found, user = await self.one(assignment), self.own_name
        if not found["returned"]:
            raise web.HTTPError(404, "Nothing has been returned to you yet.")
        content = await self.ask(lambda opened: _content(opened, assignment, user, path))
        if content is None:
            raise web.HTTPError(404, "There is no such file in your feedback.")
        self.set_header("Content-Security-Policy", _SAFE)
        self.set_header("X-Content-Type-Options", "nosniff")
        if PurePosixPath(path).suffix == ".html":
            self.set_header("Content-Type", "text/html; charset=utf-8")
        else:
            self.set_header("Content-Type", "application/octet-stream")
            name = quote(PurePosixPath(path).name)
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.finish(content)


def feedback_of(opened: Opened, assignment: str, user: str) -> dict[str, Any]:
    """The files of somebody's feedback by their paths; links are none."""
    folder = opened.layout.feedback(user, assignment)
    return {path.relative_to(folder).as_posix(): path for path in regular(folder)}


def _content(opened: Opened, assignment: str, user: str, path: str) -> bytes | None:
    file = feedback_of(opened, assignment, user).get(path)
    if file is None:
        return None
    if file.stat().st_size > _LONGEST_PAGE:
        raise web.HTTPError(413, "That is too long to be shown here. It is in your files.")
    return bytes(file.read_bytes())


def own_handlers() -> list[Route]:
    """Routes under the hub's prefix."""
    on = r"/coursework/mine/on/([^/]+)"
    return [
        (r"/coursework/mine", MinePage),
        (r"/coursework/mine/hand-in", HandInPage),
        (on, MyAssignment),
        (f"{on}/receipt/([0-9a-f]+)", MyReceipt),
        (f"{on}/feedback/(.+)", MyFeedback),
    ]
