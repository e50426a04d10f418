"""`/hub/people`: the wall, on which staff see who is there and lend a hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tornado import web

from firstbell.coursework.rights import Duty, Rank
from firstbell.hub.bells.arrival import ArrivingAuthorize
from firstbell.hub.context import HubContext
from firstbell.hub.memory.limit_care import offered
from firstbell.hub.pages.shared import Route, template_vars
from firstbell.hub.pages.staff_page import StaffPage, person_of
from firstbell.hub.people.open_as_staff import has_just_opened, let_in, note_entry, tell_of_opening
from firstbell.hub.records.acts import LONGEST_MESSAGE
from firstbell.hub.records.deeds import OPEN, RESTART, START, STOP, TOLD, WORDS, Deeds
from firstbell.hub.wall.everybody import Wall
from firstbell.hub.wall.gather import Gatherer
from firstbell.hub.wall.live_page import LivePage
from firstbell.hub.wall.rows import Row, State, count_states, in_order, matches
from firstbell.model.roster import Person
from firstbell.plan.backup_report import backup_findings
from firstbell.plan.doctor_facts import Level
from firstbell.plan.home_quota import home_stand

WALL = "firstbell_wall"
"""Where the tornado settings have the wall,"""
_DEEDS = "firstbell_deeds"
"""and the acts under way."""
_SORTS = {"": "who needs a hand", "name": "name", "memory": "memory", "seen": "longest idle"}
_NEEDS_YES = {STOP, RESTART, OPEN}
"""What takes something from somebody, or looks into what is theirs: asked once more."""
_DONE_TO_SERVERS = (START, STOP, RESTART, OPEN)


def wall_of(app: Any, context: HubContext, people: Callable[[], Mapping[str, Person]]) -> Wall:
    """The wall of a hub; `app` is JupyterHub."""
    names = template_vars(context.course) | {"base_url": app.hub_prefix, "words": WORDS}
    template, zone = list[Any](), ZoneInfo(context.course.time_zone)

    def render(row: Row) -> str:
        if not template:  # JupyterHub makes the environment after these settings
            template.append(app.tornado_settings["jinja2_env_sync"].get_template("people_row.html"))
        return str(template[0].render(names, row=row, clock=_clock(zone, row.seen)))

    return Wall(Gatherer(app, context, people), render, context.course.server.memory)


def _clock(zone: ZoneInfo, seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M") if seconds else ""


class WallPage(StaffPage):
    """What the pages below share."""

    @property
    def wall(self) -> Wall:
        """The hub's one."""
        wall: Wall = self.settings[WALL]
        return wall

    @property
    def deeds(self) -> Deeds:
        """The acts under way."""
        deeds: Deeds = self.settings.setdefault(_DEEDS, Deeds(self.firstbell.acts))
        return deeds

    def back(self) -> str:
        """The wall as it was looked at: only its own wishes are taken along."""
        wishes = {name: self.get_argument(name, "")[:100] for name in ("q", "section", "state", "sort")}
        wishes = {name: value for name, value in wishes.items() if value}
        return self.hub_url("people") + (f"?{urlencode(wishes)}" if wishes else "")


class PeoplePage(WallPage):
    """Everybody whom this person of the staff looks after."""

    @web.authenticated
    async def get(self) -> None:
        """The whole wall; its script then follows the changes."""
        rights = self.rights()
        shown = {entry.row.username: entry for entry in self.wall.rows(rights)}
        rows = [entry.row for entry in shown.values()]
        q, section, state, sort = (self.get_argument(name, "")[:100] for name in ("q", "section", "state", "sort"))
        ordered = in_order(rows, sort)
        found = [row for row in ordered if matches(row, q, section, state)]
        others = [row for row in ordered if not matches(row, q, section, state)]
        await self.show(
            "people.html",
            rows=[shown[row.username].html for row in found],
            others=[shown[row.username].html for row in others],
            counts=count_states(rows),
            sections=sorted({row.section for row in rows} - {""}),
            states=list(State),
            sorts=_SORTS,
            wishes={"q": q, "section": section, "state": state, "sort": sort},
            mark=self.wall.mark,
            rights=rights,
            longest=LONGEST_MESSAGE,
            backups=self._backups(),
        )

    def _backups(self) -> list[dict[str, str]]:
        """How they are: what is late or failing, else one line that says that all is well."""
        report = self.firstbell.earlier.report() if self.firstbell.earlier else None
        found = tuple(backup_findings(report, time.time())) if report else ()
        loud = [one for one in found if one.level not in {Level.OK, Level.NOTE}] or found[:1]
        return [{"level": one.level.value, "words": f"{one.what}."} for one in loud]


class PeopleLive(LivePage, WallPage):
    """`/hub/people/live?since=MARK`: what changes from then on, as server-sent events."""

    async def get(self) -> None:
        """Until the reader leaves, or may not read any more."""
        await self.follow(self.wall)


class PersonPage(WallPage):
    """`/hub/people/of/NAME`: one person, with what was done for them."""

    @web.authenticated
    async def get(self, username: str) -> None:
        """How they are, what can be done, what was."""
        user = self.whom(Duty.LOOK, username)
        row = self.wall.row(user.name)
        if row is None:
            raise web.HTTPError(404, f"There is no {username} any more.")
        acts = self.firstbell.acts.acts(user.name, newest=50)
        measured = self._measured(user.spawner.containers[-1])
        use = self.firstbell.home_uses.of(user.name)
        home = home_stand(use, self.course.homes) if use else None
        names: dict[str, Any] = {"words": WORDS, "longest": LONGEST_MESSAGE, "more": offered(self.firstbell, user.name)}
        await self.show("person.html", row=row, acts=acts, measured=measured, my_home=home, **names)

    def _measured(self, container: str) -> str:
        """When its memory was, in words; empty where it was not."""
        age = self.firstbell.machine.age_of(container)
        if age is None:
            return ""
        return "just now" if age < 60 else f"{age // 60:.0f} min ago"


class ActsPage(WallPage):
    """`/hub/people/acts`: what staff did, newest first."""

    @web.authenticated
    async def get(self) -> None:
        """All of it for instructors; a grader sees what was done to the people they look after."""
        rights = self.rights()
        acts = [
            act
            for act in self.firstbell.acts.acts()
            if rights.rank is not Rank.GRADER or rights.may_do(Duty.LOOK, person_of(self.firstbell, act.whom))
        ]
        await self.show("people_acts.html", acts=acts)


class DoPage(WallPage):
    """`/hub/people/do`: POST with `do=VERB:NAME`; what takes something from somebody with `sure=1` as well."""

    @web.authenticated
    async def post(self) -> None:
        """Ask once more, or do it and go back to the wall."""
        what, _, username = self.get_argument("do", "").partition(":")
        if what not in _DONE_TO_SERVERS:
            raise web.HTTPError(400, "There is no such thing to do.")
        user = self.whom(Duty.OPEN if what == OPEN else Duty.SERVER, username)
        row = self.wall.row(user.name)
        self._refuse(what, row)
        if what in _NEEDS_YES and self.get_argument("sure", "") != "1":
            await self.show("people_sure.html", row=row, what=what, word=WORDS[what], back=self.back())
        elif what == OPEN:
            self._open(user)
        else:
            self._do(what, user)

    def _refuse(self, what: str, row: Row | None) -> None:
        """Say what cannot be done at present. Raises HTTPError 409."""
        name = row.name or row.username if row else "somebody"
        if what == START and row and not row.can_start:
            raise web.HTTPError(409, f"The server of {name} runs already, or is on its way.")
        if what in {STOP, RESTART} and row and not row.can_stop:
            raise web.HTTPError(409, f"The server of {name} does not run.")
        if what == OPEN and row and not row.runs:
            raise web.HTTPError(409, f"The server of {name} does not run. Start it first.")

    def _do(self, what: str, user: Any) -> None:
        self.deeds.begin(self.own_name, what, user, self.app, self.spawn_single_user)
        if what != START:
            words = f"{self.shown_name(self.own_name)} {TOLD[what]}"
            self.firstbell.acts.tell(self.own_name, [user.name], words)
        self.redirect(self.back(), status=303)
        self.wall.hurry()

    def _open(self, user: Any) -> None:
        """Recorded and told before the way is open."""
        acts = self.firstbell.acts
        act = acts.act(self.own_name, OPEN, user.name)
        tell_of_opening(self.firstbell, self.own_name, user.name)
        let_in(self.current_user, user)
        acts.result(act)
        self.redirect(user.url, status=303)


class MessagePage(WallPage):
    """`/hub/people/message`: POST with `to` (`*`, `section:NAME` or `user:NAME`) and `words`."""

    @web.authenticated
    async def post(self) -> None:
        """Tell them; each reads it on their own pages."""
        words, to = self.get_argument("words", "").strip(), self.get_argument("to", "")
        if not 0 < len(words) <= LONGEST_MESSAGE:
            raise web.HTTPError(400, f"A message has between one and {LONGEST_MESSAGE} characters.")
        kind, _, name = to.partition(":")
        if kind == "user":
            user = self.whom(Duty.MESSAGE, name)
            self._tell([user.name], user.name, words)
            self.redirect(self.hub_url("people", "of", user.escaped_name), status=303)
            return
        rows = [entry.row for entry in self.wall.rows(self.rights())]
        people = [row.username for row in rows if to == "*" or (kind == "section" and name and row.section == name)]
        people = [username for username in people if username != self.own_name]
        if not people:
            raise web.HTTPError(400, "There is nobody to tell.")
        self._tell(people, "everybody" if to == "*" else f"section {name}", words)
        self.redirect(self.back(), status=303)

    def _tell(self, people: list[str], whom: str, words: str) -> None:
        acts = self.firstbell.acts
        act = acts.act(self.own_name, "message", whom, words)
        acts.tell(self.own_name, people, f"{self.shown_name(self.own_name)}: {words}")
        acts.result(act, "done" if len(people) == 1 else f"told {len(people)} people")


class EnteringAuthorize(ArrivingAuthorize):
    """As JupyterHub's; who is let in at somebody else's server is noted."""

    def needs_oauth_confirm(self, user: Any, oauth_client: Any, requested_scopes: Any) -> bool:
        """Not of staff who have just said on our page that they want in: once is asked often enough."""
        return not has_just_opened(self, oauth_client) and super().needs_oauth_confirm(
            user, oauth_client, requested_scopes
        )

    def send_oauth_response(self, headers: Any, body: Any, status: int) -> None:
        super().send_oauth_response(headers, body, status)
        if status == 302:
            note_entry(self)


def wall_handlers() -> list[Route]:
    """Routes under the hub's prefix; before JupyterHub's own of the same paths."""
    return [
        (r"/people", PeoplePage),
        (r"/people/live", PeopleLive),
        (r"/people/acts", ActsPage),
        (r"/people/do", DoPage),
        (r"/people/message", MessagePage),
        (r"/people/of/([^/]+)", PersonPage),
        (r"/api/oauth2/authorize", EnteringAuthorize),
    ]
