"""More memory for one person, until a time: what may be given, and what they have. Pure.

A limit is what a server may use, not what it uses (`memory_room.py`): nothing of the machine's is set aside for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstbell.errors import CourseFileError
from firstbell.plan.memory_room import reserve, size_words

if TYPE_CHECKING:
    from firstbell.model.course import Course

AT_ONCE = "at once"
NEXT_START = "from the next start on"
KEEPS = "from the next start on; the server that runs keeps what it has until it ends"
"""What became of a change."""
LONGEST = 366 * 86400.0
"""Seconds: who needs more memory for longer needs another course file."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may use until then (Unix seconds), in bytes."""

    memory: int
    until: float


def refuse(course: Course, grant: Grant, now: float, machine: int) -> None:
    """Raises CourseFileError for what cannot be given. `machine` is the memory of the largest machine; 0 is unknown."""
    usual, most = course.server.memory, course.server.largest
    if grant.memory < usual:
        raise CourseFileError(
            f"{size_words(grant.memory)} is less than everybody has ({size_words(usual)})",
            next_step="Give more, or take back what was given with --clear.",
        )
    if grant.memory > most:
        raise CourseFileError(
            f"{size_words(grant.memory)} is more than the course allows one person ({size_words(most)})",
            where="[server] memory_most",
            next_step="Ask for less, or raise memory_most in the course file and run: firstbell up",
        )
    if machine and grant.memory > machine - reserve(machine):
        raise CourseFileError(
            f"{size_words(grant.memory)} is more than one server can have here: the machine has {size_words(machine)}, "
            f"of which {size_words(reserve(machine))} are kept",
            next_step="Ask for less.",
        )
    if not now < grant.until <= now + LONGEST:
        what = "over already" if grant.until <= now else "more than a year away"
        raise CourseFileError(f"that time is {what}", next_step="Name one that is to come, such as --until +1d.")


def read(text: str | None, now: float) -> dict[str, Grant]:
    """What was given and is not over, by user. A text that is not as it should be is nothing."""
    try:
        told = {user: Grant(int(memory), float(until)) for user, (memory, until) in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}
    return {user: grant for user, grant in told.items() if grant.until > now}


def written(grants: Mapping[str, Grant]) -> str:
    """As `read` takes it."""
    return json.dumps({user: [grant.memory, grant.until] for user, grant in sorted(grants.items())})


def words(grant: Grant | None, until: str, usual: int) -> str:
    """For the record; `until` is the moment in the course's time, `usual` what everybody has, in bytes."""
    return f"{size_words(grant.memory)} until {until}" if grant else f"{size_words(usual)} again, as everybody"


def told(shown: str, outcome: str) -> str:
    """For its person, after `words` and what became of it."""
    return f"Your Jupyter may use {shown}: {outcome}."


def choices(course: Course, machine: int) -> tuple[int, ...]:
    """Amounts to offer, in bytes: times what everybody has, as far as course and machine allow."""
    usual, most = course.server.memory, course.server.largest
    most = min(most, machine - reserve(machine)) if machine else most
    return tuple(
        sorted({amount for amount in (*(usual * times for times in (2, 3, 4)), most) if usual < amount <= most})
    )
