"""The `bell` commands at work: what the running hub says of its bells, and ringing now."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, FirstbellError, StartFailed
from firstbell.model.course import Course
from firstbell.plan.bell_report import BellLine, BellReport, line
from firstbell.plan.bells import over, upcoming
from firstbell.work.people import control

_HUB_AWAY = 60.0
"""Seconds for which a hub may be away while it is waited for."""
_STANDSTILL = 180.0
"""Seconds without one more server being ready after which nobody waits any longer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """For whom to ring now: a number of a seminar's seats, or `who` as in the course file, or people by name."""

    people: int | None = None
    who: str = ""
    names: tuple[str, ...] = ()
    grace: int | None = None
    kernels: bool = True

    def as_json(self) -> str:
        """As `firstbell.hub.bell_control` reads it."""
        wish = {"seats": self.people, "who": self.who, "names": list(self.names), "grace": self.grace}
        return json.dumps({name: value for name, value in wish.items() if value} | {"kernels": self.kernels})


async def bells(engine: Engine, course: Course) -> tuple[BellReport, str]:
    """How the bells stand, and why the hub could not be asked; empty if it could."""
    try:
        return BellReport.of(await _ask(engine, course, "bells")), ""
    except (EngineUnavailable, StartFailed) as error:
        return _of_the_file(course), error.what


def _of_the_file(course: Course) -> BellReport:
    """When bells would ring, as the course file says; nothing can be said about whether they can be met."""
    zone, now = ZoneInfo(course.time_zone), datetime.now(UTC)
    seats = course.access.capacity if course.access.login == "seminar" else 0
    return BellReport(
        time_zone=course.time_zone,
        coming=tuple(
            line(
                ring,
                zone,
                begins=ring.begins(0, 0),
                state="next",
                wanted=ring.seats,
                ready=0,
                can_be_met=False,
                words="The course does not run: firstbell up",
            )
            for ring in upcoming(course.bells, zone, now, seats)
        ),
        ended=over(course.bells, zone, now),
    )


async def forecast(engine: Engine, course: Course, wish: Wish) -> BellLine:
    """What ringing now would do. Raises CourseFileError for a wish that cannot be, StartFailed without a hub."""
    return BellLine.of(await _ask(engine, course, "bell-forecast", wish.as_json()))


async def ring_now(engine: Engine, course: Course, wish: Wish, report: Callable[[BellLine], None]) -> BellLine:
    """Ring, and wait until all are ready; `report` is told of each change.

    Raises as `forecast`, and StartFailed with what stands in the way if no server more became ready for some minutes.
    """
    now = BellLine.of(await _ask(engine, course, "bell-now", wish.as_json()))
    report(now)
    changed = time.monotonic()
    while now.seconds is None:
        before, now = now, await _next(engine, course, now)
        if now.ready != before.ready:
            changed = time.monotonic()
            report(now)
        if now.seconds is None and _is_hopeless(now, time.monotonic() - changed):
            raise _not_all(now)
    return now


async def _next(engine: Engine, course: Course, line: BellLine) -> BellLine:
    """How it stands a moment later. A hub that is replaced, or was killed, has a while to come back."""
    until = time.monotonic() + _HUB_AWAY
    while True:
        try:
            return BellLine.of(await _ask(engine, course, "bell-wait", line.key, str(line.ready)))
        except (EngineUnavailable, StartFailed):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(1)


async def _ask(engine: Engine, course: Course, verb: str, *words: str) -> Any:
    return await control(engine, course, verb, *words, program="bell_control")


def _is_hopeless(now: BellLine, standstill: float) -> bool:
    # With all ready and none failed the hub's service has yet to write down how long it took.
    all_tried = bool(now.failed) and now.ready + now.failed >= now.wanted
    return now.state != "begun" or all_tried or standstill > _STANDSTILL


def _not_all(now: BellLine) -> FirstbellError:
    over = "its grace was over before; say a longer --grace" if now.state != "begun" else ""
    why = now.words or over or f"no further one for {_STANDSTILL:.0f} s"
    return StartFailed(
        f"{now.ready} of {now.wanted} are ready, {now.failed} failed: {why}",
        where=f"bell {now.bell} of {now.local}",
        next_step="See what stands in the way: firstbell bell list; firstbell logs hub",
    )
