"""`/hub/coursework`, for staff: how far everybody is with each assignment, and what is to be done next."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from tornado import web

from firstbell.coursework.rights import Duty, Rank
from firstbell.errors import FirstbellError
from firstbell.hub.context import HubContext
from firstbell.hub.coursework_ask import ACTS, Asker, Wish
from firstbell.hub.coursework_boards import Boards
from firstbell.hub.coursework_counter import Opened
from firstbell.hub.coursework_rows import Row, Stage, count, in_order
from firstbell.hub.coursework_window import CourseworkForm
from firstbell.hub.live import Live
from firstbell.hub.live_page import LivePage
from firstbell.hub.pages import Route, template_vars
from firstbell.hub.staff_page import StaffPage
from firstbell.hub.wall_rows import matches
from firstbell.model.coursework import Kind

BOARDS = "firstbell_boards"
"""Where the tornado settings have them."""
EXTEND = "extend"
DUTIES = {
    Kind.RELEASE.value: Duty.RELEASE,
    Kind.COLLECT.value: Duty.COLLECT,
    Kind.GRADE.value: Duty.GRADE,
    Kind.RETURN.value: Duty.RETURN,
    EXTEND: Duty.EXTEND,
}
"""In the order in which they come."""
WORDS = {"release": "Hand out", "collect": "Collect", "grade": "Grade", "return": "Return", EXTEND: "Give more time"}
_SORTS = {"": "who is to be looked after", "name": "name", "seen": "handed in longest ago"}
_LONGEST_FORM = 256 * 1024
"""Bytes: a thousand people may be ticked."""
_LONGEST_TIME = 40


def boards_of(app: Any, context: HubContext) -> Boards | None:
    """Those of a hub; `app` is JupyterHub."""
    if context.coursework is None:
        return None
    names = template_vars(context.course) | {"base_url": app.hub_prefix}
    template = list[Any]()

    def render(assignment: str, row: Row) -> str:
        if not template:  # JupyterHub makes the environment after these settings
            template.append(app.tornado_settings["jinja2_env_sync"].get_template("coursework_row.html"))
        return str(template[0].render(names, assignment=assignment, row=row))

    return Boards(app, context.coursework, render)


@dataclass(frozen=True, slots=True)
class Order:
    """What a form asks for."""

    what: str
    whom: str
    """`*`, `section:NAME` or `ticked`."""
    wish: Wish
    until: str = ""

    def fields(self) -> list[tuple[str, str]]:
        """By which the same is asked for again."""
        plain = {"whom": self.whom, "at": self.wish.at, "due": self.wish.due, "until": self.until}
        ticked = self.wish.to if self.whom == "ticked" else ()
        return [*((name, value) for name, value in plain.items() if value), *(("to", user) for user in ticked)]


class StaffCoursework(CourseworkForm, StaffPage):
    """What the pages below share."""

    longest = _LONGEST_FORM

    def board(self, assignment: str) -> Live[Row]:
        """Of that assignment. Raises HTTPError 404, 503; before it 403."""
        self.rights()
        boards: Boards | None = self.settings[BOARDS]
        try:
            found = boards.of(assignment) if boards else None
        except (FirstbellError, sqlite3.Error) as error:
            raise web.HTTPError(503, "The coursework cannot be read at present.") from error
        if found is None:
            raise web.HTTPError(404, "There is no such assignment.")
        return found

    def seen(self, assignment: str) -> dict[str, Row]:
        """The rows of those whom this person of the staff looks after."""
        return {shown.row.username: shown.row for shown in self.board(assignment).rows(self.rights())}

    def student(self, assignment: str, username: str) -> Row:
        """One of them. Raises HTTPError 404: nobody learns whether others' names exist."""
        row = self.seen(assignment).get(username)
        if row is None:
            raise web.HTTPError(404, f"There is no {username} whom you look after.")
        return row

    def may(self) -> list[str]:
        """What of `DUTIES` this person may do."""
        rights = self.rights()
        return [what for what, duty in DUTIES.items() if rights.may(duty)]

    def board_url(self, assignment: str) -> str:
        """Where it is shown."""
        return self.hub_url("coursework", "on", quote(assignment, safe=""))


class CourseworkPage(StaffCoursework):
    """All assignments. Who is no staff is led to their own."""

    @web.authenticated
    async def get(self) -> None:
        """Each with how many have come how far."""
        if not self.is_token() and not self.is_staff():
            self.redirect(self.hub_url("coursework", "mine"))
            return
        rights = self.rights()
        report = await self.ask(
            lambda opened: opened.report.assignments(lambda person: rights.covers(person.section, person.role))
        )
        await self.show("coursework.html", report=report, rights=rights, quote=quote)


class BoardPage(StaffCoursework):
    """`/hub/coursework/on/NAME`: person by person, with what can be done."""

    @web.authenticated
    async def get(self, assignment: str) -> None:
        """All of it; the script then follows the changes."""
        live, rights = self.board(assignment), self.rights()
        shown = {entry.row.username: entry for entry in live.rows(rights)}
        rows = [entry.row for entry in shown.values()]
        wishes = {name: self.get_argument(name, "")[:100] for name in ("q", "section", "state", "sort")}
        ordered = in_order(rows, wishes["sort"])
        found = [row for row in ordered if matches(row, wishes["q"], wishes["section"], wishes["state"])]
        others = [row for row in ordered if row not in found]
        [about] = [
            one
            for one in (await self.ask(lambda opened: opened.report.assignments(lambda _: False)))["assignments"]
            if one["name"] == assignment
        ]
        await self.show(
            "coursework_board.html",
            assignment=assignment,
            due=about["due"],
            time_zone=self.course.time_zone,
            rows=[shown[row.username].html for row in found],
            others=[shown[row.username].html for row in others],
            counts=count(rows),
            sections=sorted({row.section for row in rows} - {""}),
            states=list(Stage),
            sorts=_SORTS,
            wishes=wishes,
            mark=live.mark,
            rights=rights,
            may=self.may(),
            words=WORDS,
            url=self.board_url(assignment),
        )


class BoardLive(LivePage, StaffCoursework):
    """`/hub/coursework/on/NAME/live?since=MARK`: what changes from then on."""

    async def get(self, assignment: str) -> None:
        """Until the reader leaves, or may not read any more."""
        await self.follow(self.board(assignment))


class StudentPage(StaffCoursework):
    """`/hub/coursework/on/NAME/of/USER`: somebody's hand-ins, and what can be done for them."""

    @web.authenticated
    async def get(self, assignment: str, username: str) -> None:
        """Every receipt, and which one counts."""
        row = self.student(assignment, username)
        handins = await self.ask(lambda opened: opened.report.handins(assignment, username))
        await self.show(
            "coursework_student.html",
            assignment=assignment,
            row=row,
            handins=handins,
            may=self.may(),
            words=WORDS,
            url=self.board_url(assignment),
            receipts=f"{self.board_url(assignment)}/of/{quote(username, safe='')}/receipt/",
        )


class StudentReceipt(StaffCoursework):
    """`/hub/coursework/on/NAME/of/USER/receipt/RECEIPT`: what was taken, file by file."""

    @web.authenticated
    async def get(self, assignment: str, username: str, receipt: str) -> None:
        """Its manifest."""
        self.student(assignment, username)
        found = await self.ask(lambda opened: opened.report.receipt(assignment, username, receipt))
        back = f"{self.board_url(assignment)}/of/{quote(username, safe='')}"
        await self.show("receipt.html", receipt=found, back=back, back_words=username)


class CourseworkActs(StaffCoursework):
    """`/hub/coursework/acts`: what staff did with assignments, newest first."""

    @web.authenticated
    async def get(self) -> None:
        """All of it for instructors; graders see what they did themselves."""
        rights, own = self.rights(), self.own_name
        acts = self.firstbell.acts.of_kinds(ACTS)
        shown = [act for act in acts if rights.rank is not Rank.GRADER or act.who == own]
        await self.show("coursework_acts.html", acts=shown)


class CourseworkDo(StaffCoursework):
    """`/hub/coursework/on/NAME/do`: POST with `do`, `whom` and times; what `sure=1` does is shown before."""

    @web.authenticated
    async def post(self, assignment: str) -> None:
        """Show whom and when, or do it and go back to where it can be followed."""
        order = self._order(assignment)
        is_sure = self.get_argument("sure", "") == "1"
        plan = await self.ask(lambda opened: self._ordered(opened, order, is_dry=not is_sure))
        if is_sure:
            self.redirect(self.board_url(assignment), status=303)
            self.board(assignment).hurry()
            return
        rows = self.seen(assignment)
        await self.show(
            "coursework_sure.html",
            assignment=assignment,
            order=order,
            word=WORDS[order.what],
            plan=plan,
            names=[rows[user].name or user if user in rows else user for user in plan["people"]],
            url=self.board_url(assignment),
        )

    def _order(self, assignment: str) -> Order:
        """What the form says, for people whom this person looks after alone. Raises HTTPError 400, 403, 404."""
        rights, what = self.rights(), self.get_argument("do", "")
        if what not in DUTIES:
            raise web.HTTPError(400, "There is no such thing to do.")
        if not rights.may(DUTIES[what]):
            raise web.HTTPError(403, "This is for instructors.")
        at, due, until = (self.get_argument(name, "")[:_LONGEST_TIME] for name in ("at", "due", "until"))
        whom = self.get_argument("whom", "")
        to = self._people(assignment, whom)
        if what == EXTEND:
            if not until:
                raise web.HTTPError(400, "Say until when.")
            return Order(what, whom, Wish(assignment, to or tuple(self.seen(assignment))), until)
        return Order(what, whom, Wish(assignment, to, at, due if what == Kind.RELEASE else ""))

    def _people(self, assignment: str, whom: str) -> tuple[str, ...]:
        rows, named = self.seen(assignment), tuple(dict.fromkeys(self.get_arguments("to")))
        if named and whom != "ticked":
            raise web.HTTPError(400, "Some are ticked, but not chosen: choose “those ticked below”, or untick them.")
        if whom == "*":
            return ()
        kind, _, section = whom.partition(":")
        if kind == "section" and section and any(row.section == section for row in rows.values()):
            return (whom,)
        ticked = named if whom == "ticked" else ()
        if outside := [user for user in ticked if user not in rows]:
            raise web.HTTPError(404, f"There is no {outside[0]} whom you look after.")
        if not ticked:
            raise web.HTTPError(400, "Nobody is ticked.")
        return ticked

    def _ordered(self, opened: Opened, order: Order, *, is_dry: bool) -> dict[str, Any]:
        by, wish = Asker(self.own_name, self.rights()), replace(order.wish, dry_run=is_dry)
        if order.what == EXTEND:
            return opened.acts.extend(wish, order.until, by)
        return opened.acts.act(Kind(order.what), wish, by)


def coursework_handlers() -> list[Route]:
    """Routes under the hub's prefix."""
    on = r"/coursework/on/([^/]+)"
    return [
        (r"/coursework", CourseworkPage),
        (r"/coursework/acts", CourseworkActs),
        (on, BoardPage),
        (f"{on}/live", BoardLive),
        (f"{on}/do", CourseworkDo),
        (f"{on}/of/([^/]+)", StudentPage),
        (f"{on}/of/([^/]+)/receipt/([0-9a-f]+)", StudentReceipt),
    ]
