"""What staff's pages of coursework share: whom somebody looks after, and what they may do."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import quote

from tornado import web

from firstbell.coursework.rights import Duty
from firstbell.errors import FirstbellError
from firstbell.hub.context import HubContext
from firstbell.hub.coursework.boards import Boards
from firstbell.hub.coursework.rows import Row
from firstbell.hub.coursework.window import CourseworkForm
from firstbell.hub.pages.shared import template_vars
from firstbell.hub.pages.staff_page import StaffPage
from firstbell.hub.wall.live import Live
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
_LONGEST_FORM = 256 * 1024
"""Bytes: a thousand people may be ticked."""


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


class StaffCoursework(CourseworkForm, StaffPage):
    """Their base."""

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
