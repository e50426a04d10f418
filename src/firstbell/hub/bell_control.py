"""`python3 -m firstbell.hub.bell_control VERB …`: what `firstbell bell` asks of a hub, inside its container.

A program of its own, and a small one: while a bell rings it is asked every few seconds, and must not take from the
starts it tells of.

| verb | arguments | answer |
|---|---|---|
| `bells` | | how all bells stand, with forecasts |
| `bell-forecast` | a wish: `{"seats": 25}`, `{"who": "section:A"}` or `{"names": [...]}` | what ringing now would do |
| `bell-now` | the same | rings now; the ringing's line |
| `bell-wait` | a ringing's key, how many were ready | its line: at once when it is over, else after some seconds |
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.config.wire import from_wire, runtime_from_wire
from firstbell.errors import CourseFileError, StartFailed
from firstbell.hub.bells import tables as bell_tables
from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import ApiHub, People, cluster_now
from firstbell.hub.bells.report import Reporter
from firstbell.hub.bells.values import NOW, Ring
from firstbell.hub.control_io import control_arguments, print_answer
from firstbell.hub.people.book import PeopleStore, open_store
from firstbell.hub.state.hub_tables import database_of
from firstbell.model.course import Course
from firstbell.plan.bell_report import coming_line
from firstbell.plan.bells import Occurrence

_VERBS = ("bells", "bell-forecast", "bell-now", "bell-wait")
_WAITS, _GATHERS = 10.0, 4.0
"""Seconds: for which nothing happens; in which servers that become ready are told of together. Each answer is a program
that starts anew, 0.2 s of CPU: one for each server would add a quarter to what its start costs."""
_LOOK_EVERY = 0.25
_USUAL_GRACE = 1200.0


def reporter(course: Course, store: PeopleStore, state: Path, runtime: Path) -> Reporter:
    """The reporter of a hub whose files these are."""
    made = runtime_from_wire(runtime.read_bytes())
    hub = ApiHub("", "", database_of(course, state))
    return Reporter(
        course,
        made,
        BellBook(state / bell_tables.FILE),
        People(course, store),
        hub.servers,
        partial(cluster_now, state),
    )


def answer(of: Reporter, verb: str, words: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> Any:
    """What the verb answers. Raises CourseFileError for a wish that cannot be, StartFailed for an unknown ringing."""
    if verb == "bells":
        return asdict(of.report())
    if verb == "bell-wait":
        return _wait(of, words[0], int(words[1]), sleep)
    ring = _wished(of, json.loads(words[0]))
    if verb == "bell-now":
        of.book.begin(ring, wanted=of.people.count(ring))
        return asdict(of.line(_ring(of, ring.key)))
    # Of what rings at once nothing can be late: a day is time enough for whatever else stands in the way.
    found = of.forecast(replace(ring, at=ring.at + timedelta(days=1), lead=None))
    seconds = (found.done - found.begins).total_seconds()
    return asdict(replace(coming_line(ring, ZoneInfo(of.course.time_zone), found), seconds=seconds))


def _wished(of: Reporter, wish: dict[str, Any]) -> Occurrence:
    """The ringing that somebody wishes for now. Raises CourseFileError."""
    course, names = of.course, tuple(wish.get("names", ()))
    is_seminar = course.access.login == "seminar"
    seats = int(wish.get("seats") or course.access.capacity) if is_seminar else 0
    ring = Occurrence(
        bell=NOW,
        at=datetime.fromtimestamp(int(of.now()), UTC),
        who=wish.get("who", "everyone"),
        seats=seats,
        names=names,
        kernels=wish.get("kernels", True),
        lead=0.0,
        grace=float(wish.get("grace", _USUAL_GRACE)),
    )
    if is_seminar and (names or "who" in wish):
        how_many = "Say how many: firstbell bell now --people 25"
        raise CourseFileError("a seminar's seats have no names", next_step=how_many)
    if not is_seminar and wish.get("seats"):
        raise CourseFileError("numbers are a seminar's", next_step="Say who: firstbell bell now --who everyone")
    everyone = {*of.people.whom(Occurrence(bell=NOW, at=ring.at)), *(of.people.guests() if names else ())}
    if unknown := [name for name in names if name not in everyone]:
        raise CourseFileError(
            f"nobody of the course: {', '.join(unknown)}", next_step="See who is: firstbell people list"
        )
    if not of.people.count(ring):
        raise CourseFileError(f"nobody to ring for: {of.forecast(ring).words}", next_step="firstbell people list")
    return ring


def _wait(of: Reporter, key: str, ready: int, sleep: Callable[[float], None]) -> dict[str, Any]:
    ring = _ring(of, key)
    for look in range(int(_WAITS / _LOOK_EVERY)):
        is_worth_telling = ring.ready > ready and look * _LOOK_EVERY >= _GATHERS
        if is_worth_telling or ring.done is not None or ring.state != "begun":
            break
        sleep(_LOOK_EVERY)
        ring = _ring(of, key)
    return asdict(of.line(ring))


def _ring(of: Reporter, key: str) -> Ring:
    found = of.book.ring(key)
    if found is None:
        raise StartFailed(f"there is no ringing {key}", next_step="See: firstbell bell list")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    arguments = control_arguments("firstbell.hub.bell_control", _VERBS).parse_args(argv)

    def ask() -> Any:
        course = from_wire(arguments.course.read_bytes(), arguments.secrets.read_bytes())
        of = reporter(course, open_store(arguments.state), arguments.state, arguments.runtime)
        return answer(of, arguments.verb, arguments.names)

    return print_answer(ask)


if __name__ == "__main__":
    sys.exit(main())
