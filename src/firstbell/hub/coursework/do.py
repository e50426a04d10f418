"""What staff order with a form: shown once more with names and times, then written into the book."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tornado import web

from firstbell.hub.coursework.ask import Asker
from firstbell.hub.coursework.counter import Opened
from firstbell.hub.coursework.staff import DUTIES, EXTEND, WORDS, StaffCoursework
from firstbell.model.coursework import Kind, Wish

_LONGEST_TIME = 40


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
