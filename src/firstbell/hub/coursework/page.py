"""`/hub/coursework`, for staff: how far everybody is with each assignment, and what is to be done next."""

from __future__ import annotations

import logging
from urllib.parse import quote

from tornado import web

from firstbell.coursework.rights import Rank, Rights
from firstbell.errors import CourseBusy, FirstbellError
from firstbell.hub.coursework.ask import ACTS, BY_HAND_ACT, EVERYBODY
from firstbell.hub.coursework.counter import Opened
from firstbell.hub.coursework.do import CourseworkDo
from firstbell.hub.coursework.formgrader import FORMGRADER, Formgrader
from firstbell.hub.coursework.formgrader_access import may_enter
from firstbell.hub.coursework.rows import Row, Stage, count, in_order, row_of
from firstbell.hub.coursework.staff import WORDS, StaffCoursework
from firstbell.hub.coursework.window import words_of
from firstbell.hub.pages.shared import Route
from firstbell.hub.wall.live_page import LivePage
from firstbell.hub.wall.rows import matches

LOG = logging.getLogger("firstbell.formgrader")

_SORTS = {"": "who is to be looked after", "name": "name", "seen": "handed in longest ago"}


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


class TablePage(StaffCoursework):
    """`/hub/coursework/table`: everybody whom this person of the staff looks after × all assignments."""

    @web.authenticated
    async def get(self) -> None:
        """How far each is with each."""
        rights = self.rights()
        wishes = {name: self.get_argument(name, "")[:100] for name in ("q", "section")}
        table = await self.ask(lambda opened: _table(opened, rights))
        columns = list(table.values())
        everybody = in_order(columns[0].values(), "name") if columns else []
        found = [row for row in everybody if matches(row, wishes["q"], wishes["section"])]
        await self.show(
            "coursework_table.html",
            assignments=list(table),
            people=[(row, [column[row.username] for column in columns]) for row in found],
            sections=sorted({row.section for row in everybody} - {""}),
            wishes=wishes,
            rights=rights,
        )


def _table(opened: Opened, rights: Rights) -> dict[str, dict[str, Row]]:
    """By assignment and user; the same users in each."""
    students = opened.roll.students()
    seen = [user for user, person in students.items() if rights.covers(person.section, person.role)]
    names = [one.name for one in opened.book.assignments()]
    people = {name: opened.report.assignment(name, seen)["people"] for name in names}
    return {name: {one["user"]: row_of(one, None) for one in rows} for name, rows in people.items()}


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
            by_hand=self.settings[FORMGRADER] is not None and may_enter(rights),
            words=WORDS,
            url=self.board_url(assignment),
        )


class BoardLive(LivePage, StaffCoursework):
    """`/hub/coursework/on/NAME/live?since=MARK`: what changes from then on."""

    async def get(self, assignment: str) -> None:
        """Until the reader leaves, or may not read any more."""
        await self.follow(self.board(assignment))


class ByHandPage(StaffCoursework):
    """`/hub/coursework/by-hand`: POST with `assignment`; leads to it in nbgrader's formgrader, started if need be."""

    @web.authenticated
    async def post(self) -> None:
        """Recorded, then there."""
        rights, assignment = self.rights(), self.get_argument("assignment", "")[:100]
        if not may_enter(rights):
            raise web.HTTPError(403, "The formgrader knows no sections: it is for instructors.")
        self.board(assignment)
        formgrader: Formgrader | None = self.settings[FORMGRADER]
        if formgrader is None:
            raise web.HTTPError(404, "There is no formgrader in this course.")
        with self.firstbell.acts.noted(self.own_name, BY_HAND_ACT, [EVERYBODY], assignment):
            try:
                url = await formgrader.open()
            except CourseBusy as error:
                raise web.HTTPError(409, words_of(error)) from error
            except (FirstbellError, OSError, TimeoutError) as error:
                LOG.warning("The formgrader could not be opened: %s", error)
                raise web.HTTPError(503, "The formgrader does not start at present.") from error
        self.redirect(f"{url}formgrader/gradebook/{quote(assignment, safe='')}", status=303)


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


def coursework_handlers() -> list[Route]:
    """Routes under the hub's prefix."""
    on = r"/coursework/on/([^/]+)"
    return [
        (r"/coursework", CourseworkPage),
        (r"/coursework/acts", CourseworkActs),
        (r"/coursework/table", TablePage),
        (r"/coursework/by-hand", ByHandPage),
        (on, BoardPage),
        (f"{on}/live", BoardLive),
        (f"{on}/do", CourseworkDo),
        (f"{on}/of/([^/]+)", StudentPage),
        (f"{on}/of/([^/]+)/receipt/([0-9a-f]+)", StudentReceipt),
    ]
