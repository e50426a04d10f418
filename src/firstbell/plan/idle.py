"""When a server that nobody uses is ended. Pure: what is known of it and the moment are arguments.

All moments are seconds of one clock that only goes forward (CLOCK_MONOTONIC of the hub's machine): the time of day may
jump by a day in either direction and ends nobody. A server tells, again and again, how long ago it was used; that is a
length of time, measured where it is used, so that no two clocks are ever compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from firstbell.model.course import Course
from firstbell.model.roster import Person

SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds between two words of a server."""
_HOUR = 3600
_KEEPS = (1, 2, 3, 4, 6, 8, 12, 18, 24)
"""Hours that are offered to whoever wants a server kept."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one person, in seconds."""

    idle: float
    """0 is never."""
    notice: float
    keep_most: float


NEVER = Rule(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a server that runs."""

    used: float
    """When it was last used, as far as it has told."""
    heard: float
    """When it last told anything."""
    busy: bool = False
    """Whether something ran in it then."""
    has_spoken: bool = False
    """Whether it is one that tells; older ones only show when they are used."""
    touched: float = 0.0
    """When its person was last seen at the hub, or said that they are there."""
    kept: float = 0.0
    """Until when its person wants it kept."""
    told: float | None = None
    """Since when its person can know of its end."""


class Stand(StrEnum):
    """How a server stands."""

    IN_USE = "in use"
    NOTICE = "notice"
    """It ends soon."""
    OVER = "over"
    """It is to be ended now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a server."""

    stand: Stand
    use: Use
    """What is known from now on."""
    left: float | None = None
    """Seconds until it ends if nobody uses it; None for never."""


def rule_for(course: Course, person: Person) -> Rule:
    """The first of `[[idle]]` that is for that person, over `[server]`. The notice is at most half of the idle time."""
    server = course.server
    idle, notice, most = server.idle, server.idle_notice, server.keep_most
    for rule in course.idle_rules:
        if (rule.section and rule.section == person.section) or (not rule.section and person.role.is_staff):
            idle = idle if rule.idle is None else rule.idle
            notice = notice if rule.idle_notice is None else rule.idle_notice
            most = most if rule.keep_most is None else rule.keep_most
            break
    return Rule(float(idle), min(float(notice), idle / 2), float(most))


def shortest_idle(course: Course) -> int:
    """The shortest idle time that anybody has; 0 where nobody's server is ended."""
    times = [course.server.idle, *(rule.idle for rule in course.idle_rules if rule.idle is not None)]
    return min((one for one in times if one), default=0)


def begun(now: float, until: float = 0.0) -> Use:
    """Of a server that is seen for the first time: it has just started, or the hub has. Kept `until` then."""
    return Use(used=now, heard=now, kept=until)


def told(use: Use, now: float, age: float, *, busy: bool, speaks: bool = True) -> Use:
    """After its word, that it was last used `age` seconds ago, and whether something runs in it.

    The newest word counts, not the latest use that was ever told; what the hub itself saw of its person stays.
    """
    used = now if busy else now - max(0.0, age)
    return replace(use, used=used, heard=now, busy=busy, has_spoken=speaks)


def touched(use: Use, now: float) -> Use:
    """After its person was seen at the hub, or has said that they are there."""
    return replace(use, touched=now)


def kept(use: Use, now: float, seconds: float, rule: Rule) -> Use:
    """After its person asked for it to be kept that long, within what the course allows. 0 takes that back."""
    return replace(use, kept=now + min(max(0.0, seconds), rule.keep_most))


def deaf(use: Use, seconds: float) -> Use:
    """After a time in which the hub could hear nobody: it does not count as silence."""
    return replace(use, heard=use.heard + seconds)


def judge(use: Use, rule: Rule, now: float, *, is_silent: bool = False) -> Verdict:
    """What is to be done now. Of a server that is silent it is assumed that it was in use until it fell silent."""
    if not rule.idle:
        return Verdict(Stand.IN_USE, replace(use, told=None))
    since = max(use.heard if is_silent else use.used, use.touched)
    end = max(since + rule.idle, use.kept)
    if now < end - rule.notice:
        return Verdict(Stand.IN_USE, replace(use, told=None), end - now)
    first = now if use.told is None else use.told
    # A hub that was away while the notice was due gives it first: nobody's server ends without it.
    end = max(end, first + rule.notice)
    stand = Stand.NOTICE if now < end else Stand.OVER
    return Verdict(stand, replace(use, told=first), max(0.0, end - now))


def next_word(verdict: Verdict, rule: Rule) -> float:
    """Seconds until its next word is wanted: in time for the notice, and for the end."""
    if verdict.left is None:
        return LONGEST_PAUSE
    due = verdict.left - rule.notice if verdict.stand is Stand.IN_USE else verdict.left
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, due))


def offers(now: datetime, most: float) -> Iterator[tuple[str, int]]:
    """("18:00", seconds until then): the full hours that somebody may have their server kept until, by `now`'s zone."""
    whole, last = now.replace(minute=0, second=0, microsecond=0), ""
    for hours in _KEEPS:
        until = whole + timedelta(hours=hours + (now.minute >= 30))
        seconds = int(until.timestamp() - now.timestamp())
        label = until.strftime("%H:%M") if until.date() == now.date() else until.strftime("%a %H:%M")
        if _HOUR / 2 <= seconds <= most and label != last:
            last = label
            yield label, seconds
