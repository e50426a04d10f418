"""`/hub/activity`: the record for owner and instructors, and how much the course was used, as plots with tables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tornado import web

from firstbell.coursework.rights import Duty
from firstbell.hub.memory.memory_page import LIMIT
from firstbell.hub.pages.shared import Route
from firstbell.hub.pages.staff_page import StaffPage
from firstbell.hub.records import chain as record_chain
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Line, Record, Sought
from firstbell.hub.term.files import read_term
from firstbell.hub.term.plots import NAMES, Term, pictures
from firstbell.hub.term.svg import Picture, as_file, on_page

TERMS = "firstbell_terms"
"""Where the tornado settings have what was read last."""
KINDS = {
    "": "everything",
    record_chain.STAFF: "acts of staff",
    record_chain.LOGIN: "logins",
    record_chain.LOGOUT: "logouts",
    record_chain.START: "starts of servers",
    record_chain.END: "ends of servers",
    LIMIT: "limits that were met",
    record_chain.EXPORT: "exports of a person",
    record_chain.RESTORE: "earlier files brought back",
    record_chain.ERASED: "erasures of a person",
    record_chain.RETIRED: "what had its time",
}
SPANS = {7: "a week", 28: "four weeks", 182: "half a year"}
_USUAL = 28
_LONGEST = 3 * 366
"""Days that one page looks at."""
_PAGE = 100
_PEOPLE = 200
"""Rows of the table of hours; whoever wants another names them."""
_KEPT = 30.0
"""Seconds for which plots are not made anew."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see: whole days of the course's time zone."""

    since: date
    until: date
    user: str = ""
    kind: str = ""

    def times(self, zone: ZoneInfo) -> tuple[float, float]:
        """Unix seconds, from the first moment to the last."""
        begin, end = self.since, self.until + timedelta(days=1)
        return datetime.combine(begin, clock(), zone).timestamp(), datetime.combine(end, clock(), zone).timestamp()

    def query(self, **changes: Any) -> str:
        """As the end of an address."""
        words = {"since": self.since, "until": self.until, "user": self.user, "kind": self.kind} | changes
        return urlencode({name: str(value) for name, value in words.items() if value})


@dataclass(frozen=True, slots=True)
class Shown:
    """A plot, ready for the page."""

    picture: Picture
    svg: str


class Terms:
    """What the plots show, one look at a time and in a thread, so that no login waits for it; kept for a moment."""

    def __init__(self, state: Path, zone: ZoneInfo) -> None:
        self._state, self._zone = state, zone
        self._one = asyncio.Lock()
        self._last: tuple[tuple[object, ...], float, tuple[Term, tuple[Shown, ...]]] | None = None

    async def of(self, wish: Wish) -> tuple[Term, tuple[Shown, ...]]:
        """Of that time, of all or of one person. Raises sqlite3.Error."""
        key = (wish.since, wish.until, wish.user)
        async with self._one:
            if self._last and self._last[0] == key and time.monotonic() - self._last[1] < _KEPT:
                return self._last[2]
            found = await asyncio.to_thread(self._read, wish)
            self._last = (key, time.monotonic(), found)
            return found

    def _read(self, wish: Wish) -> tuple[Term, tuple[Shown, ...]]:
        begin, end = wish.times(self._zone)
        term = read_term(self._state, begin, min(end, time.time()), self._zone, wish.user)
        return term, tuple(Shown(picture, on_page(picture) if picture.body else "") for picture in pictures(term))


class RecordPage(StaffPage):
    """What the pages below share."""

    def may_read(self) -> None:
        """Raises HTTPError 403 for whoever is neither owner nor instructor."""
        if not self.rights().may(Duty.RECORD):
            raise web.HTTPError(403, "This is for instructors.")

    @property
    def zone(self) -> ZoneInfo:
        """The course's."""
        return ZoneInfo(self.course.time_zone)

    def wish(self) -> Wish:
        """As the address says it. Raises HTTPError 400."""
        today = datetime.now(self.zone).date()
        until = min(self._day("until", today), today)
        since = self._day("since", until - timedelta(days=_USUAL - 1))
        if until - since > timedelta(days=_LONGEST):
            raise web.HTTPError(400, f"One page shows up to {_LONGEST} days.")
        kind, user = self.get_argument("kind", ""), self.get_argument("user", "").strip()[:200]
        return Wish(min(since, until), until, user, kind if kind in KINDS else "")

    def _day(self, name: str, otherwise: date) -> date:
        try:
            return date.fromisoformat(text) if (text := self.get_argument(name, "")) else otherwise
        except ValueError:
            raise web.HTTPError(400, "A day is written like 2026-11-21.") from None

    async def term(self, wish: Wish) -> tuple[Term, tuple[Shown, ...]]:
        """What the plots show."""
        terms: Terms = self.settings[TERMS]
        return await terms.of(wish)


class ActivityPage(RecordPage):
    """The record and the plots."""

    @web.authenticated
    async def get(self) -> None:
        """`since`, `until`, `user`, `kind`; `before` is the entry with which the page before ended."""
        self.may_read()
        wish, before = self.wish(), self._before()
        lines = await asyncio.to_thread(self._lines, wish, before)
        term, plots = await self.term(wish)
        today = datetime.now(self.zone).date()
        await self.show(
            "activity.html",
            wish=wish,
            kinds=KINDS,
            lines=lines[:_PAGE],
            before=before,
            older=wish.query(before=lines[_PAGE - 1].id) if len(lines) > _PAGE else "",
            spans={
                words: wish.query(since=today - timedelta(days=days - 1), until=today) for days, words in SPANS.items()
            },
            plots=plots,
            **_hours(term),
        )

    def _before(self) -> int | None:
        word = self.get_argument("before", "")
        return int(word) if word.isdecimal() and len(word) < 16 else None

    def _lines(self, wish: Wish, before: int | None) -> tuple[Line, ...]:
        since, until = wish.times(self.zone)
        sought = Sought(since, until, wish.user, (wish.kind,) if wish.kind else (), before or 2**62, _PAGE + 1)
        with closing(Record(self.store.path.parent / FILE)) as record:
            return record.find(sought)


class PlotFile(RecordPage):
    """`/hub/activity/NAME.svg`: one plot as a file."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Of the same time and person as the page's."""
        self.may_read()
        wish = self.wish()
        _, plots = await self.term(wish)
        [picture] = [one.picture for one in plots if one.picture.name == name]
        self.set_header("Content-Type", "image/svg+xml")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        self.set_header("X-Content-Type-Options", "nosniff")
        file = f"{self.course.name}-{name}-{wish.since}-{wish.until}.svg"
        self.set_header("Content-Disposition", f'attachment; filename="{file}"')
        self.finish(as_file([picture]))


def _hours(term: Term) -> Mapping[str, Any]:
    """Of each person in each week, for the table; whose server ran longest first where they are too many."""
    weeks = term.weeks
    total: dict[str, float] = {}
    for week in weeks:
        for whom, hours in week.hours.items():
            total[whom] = total.get(whom, 0.0) + hours
    names = sorted(total, key=lambda name: -total[name])[:_PEOPLE]
    rows = [(name, [week.hours.get(name) for week in weeks], total[name]) for name in sorted(names)]
    return {"weeks": [week.monday for week in weeks], "rows": rows, "left_out": len(total) - len(names)}


def record_handlers() -> list[Route]:
    """Routes under the hub's prefix."""
    return [
        (r"/activity", ActivityPage),
        (rf"/activity/({'|'.join(NAMES)})\.svg", PlotFile),
    ]
