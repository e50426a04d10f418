"""How the bells stand, put together from the book, the people and the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import MachineNow, People, Seen, machine_now
from firstbell.hub.bells.ringer import SECONDS_EACH
from firstbell.hub.bells.values import At, Ring
from firstbell.hub.starts.queue import slots_for
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan.bell_forecast import FIRST_GUESS, Conditions, Forecast, forecast
from firstbell.plan.bell_report import BellLine, BellReport, coming_line, line
from firstbell.plan.bells import MARGIN, Occurrence, over, upcoming

SERVER_USE = "server_use"
"""Kept in the book: bytes that a server was last measured to use, by the hub."""
IMAGE_MISSING = "image_missing"
"""Kept in the book: 1 where the hub did not find the course's image."""
_PAST = 10
_SLACK = 15.0
"""Seconds that the first server of a row takes longer."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Looks at everything that a forecast needs; used by the hub itself and by `firstbell.hub.control`."""

    course: Course
    runtime: Runtime
    book: BellBook
    people: People
    servers: Callable[[], dict[str, Seen]]
    machine: Callable[[float], MachineNow] = machine_now
    now: Callable[[], float] = time.time

    def report(self) -> BellReport:
        """All bells: to come with forecasts, under way, past."""
        course, now, zone = self.course, self._moment(), ZoneInfo(self.course.time_zone)
        known = self.book.known()
        seats = course.access.capacity if course.access.login == "seminar" else 0
        coming = [ring for ring in upcoming(course.bells, zone, now, seats) if ring.key not in known]
        conditions, seen = self._conditions(), self.servers()
        rings = self.book.rings(_PAST)
        return BellReport(
            time_zone=course.time_zone,
            coming=tuple(coming_line(ring, zone, self._forecast(ring, conditions, seen)) for ring in coming),
            ringing=tuple(self._begun_line(ring, zone) for ring in self.book.active()),
            past=tuple(self._begun_line(ring, zone) for ring in rings if ring.state != "begun"),
            ended=over(course.bells, zone, now),
        )

    def forecast(self, ring: Occurrence) -> Forecast:
        """Whether one ringing can be met, as of now."""
        return self._forecast(ring, self._conditions(), self.servers())

    def line(self, ring: Ring) -> BellLine:
        """How one that was begun stands."""
        return self._begun_line(ring, ZoneInfo(self.course.time_zone))

    def _forecast(self, ring: Occurrence, conditions: Conditions, seen: dict[str, Seen]) -> Forecast:
        waiting = self.book.waiting()
        if ring.seats:
            ready = [place.username for place in self.book.places(At.READY) if place.is_seat]
            running, others = min(len(ready), ring.seats), len(seen.keys() - waiting)
        else:
            whom = set(self.people.whom(ring))
            running, others = len(whom & seen.keys()), len(seen.keys() - waiting - whom)
        return forecast(ring, self.people.count(ring), running, replace(conditions, inside=others))

    def _conditions(self) -> Conditions:
        book, runtime = self.book, self.runtime
        machine = self.machine(book.kept(SERVER_USE, 0.0))
        slots = machine.slots or slots_for(runtime.cpus or 1)
        return Conditions(
            now=self._moment(),
            memory=machine.memory,
            nodes=machine.nodes,
            limit=self.course.server.memory,
            seconds_each=book.kept(SECONDS_EACH, FIRST_GUESS / slots),
            capacity=self.course.access.capacity,
            has_image=not book.kept(IMAGE_MISSING, 0.0),
            image=runtime.image,
        )

    def _begun_line(self, ring: Ring, zone: ZoneInfo) -> BellLine:
        whom = self.book.people(ring.occurrence.key)
        failed = [place for place in self.book.places(At.FAILED) if place.username in whom]
        is_short = ring.state == "begun" and ring.done is None and self.now() > self._expected(ring)
        words = "It was missed: nobody was here to ring it." if ring.state == "missed" else ""
        if failed:
            words = f"{failed[0].username} did not start: {failed[0].why.splitlines()[0] if failed[0].why else 'why?'}"
        elif is_short:
            words = f"It has rung; {ring.ready} of {ring.wanted} are ready."
        return line(
            ring.occurrence,
            zone,
            begins=datetime.fromtimestamp(ring.began, UTC),
            state=ring.state,
            wanted=ring.wanted,
            ready=ring.ready,
            taken=ring.taken,
            failed=ring.failed,
            seconds=None if ring.done is None else ring.done - ring.began,
            can_be_met=ring.state != "missed" and not failed and not is_short,
            words=words,
        )

    def _expected(self, ring: Ring) -> float:
        """When it should have been done: by the bell, or, of one that was begun late, when it has had its time."""
        needed = ring.wanted * self._conditions().seconds_each
        return max(ring.occurrence.at.timestamp(), ring.began + _SLACK + MARGIN * needed)

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)
