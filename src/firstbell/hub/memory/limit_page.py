"""`/hub/people/limit`: staff give somebody more memory for a time, or take that back."""

from __future__ import annotations

import time

from tornado import web

from firstbell.coursework.rights import Duty
from firstbell.errors import CourseFileError
from firstbell.hub.memory import limit_care, limits
from firstbell.hub.pages.shared import moment_in
from firstbell.hub.wall.page import WallPage
from firstbell.plan.memory_limit import Grant, told, words


class LimitPage(WallPage):
    """POST with `user`, and `memory` (bytes, 0 takes it back) and `hours`."""

    @web.authenticated
    async def post(self) -> None:
        """Recorded before it is done, told to its person after."""
        user = self.whom(Duty.SERVER, self.get_argument("user", ""))
        grant, context = self._wanted(), self.firstbell
        if grant:
            try:
                limits.refuse(context.store, context.course, grant)
            except CourseFileError as error:
                raise web.HTTPError(400, f"{error.what[:1].upper()}{error.what[1:]}.".replace("%", "%%")) from None
        until = moment_in(context.course, grant.until) if grant else ""
        shown = words(grant, until, context.course.server.memory)
        act = context.acts.act(self.own_name, limits.ORDER, user.name, shown)
        limits.give(context.store, user.name, grant)
        outcome = await limit_care.apply(context, user)
        context.acts.result(act, f"done: {outcome}")
        context.acts.tell(self.own_name, [user.name], f"{self.shown_name(self.own_name)}: {told(shown, outcome)}")
        self.redirect(self.hub_url("people", "of", user.escaped_name), status=303)
        self.wall.hurry()

    def _wanted(self) -> Grant | None:
        try:
            memory, hours = int(self.get_argument("memory", "")), int(self.get_argument("hours", "0"))
        except ValueError:
            raise web.HTTPError(400, "How much, and for how long, are numbers.") from None
        return Grant(memory, time.time() + hours * 3600) if memory else None
