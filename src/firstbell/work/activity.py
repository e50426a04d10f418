"""`firstbell activity` at work: the hub's record, as the hub tells it."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.engine.base import Engine
from firstbell.model.course import Course
from firstbell.work.people import control


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; `at` in UTC, `result` empty where there is none, or none yet."""

    id: int
    at: str
    kind: str
    what: str
    who: str
    whom: str
    words: str
    result: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at the whole record came to."""

    entries: int
    first: int
    last: int
    head: str
    gone: int
    """Up to which entry retention has taken them out."""
    findings: int
    found: tuple[str, ...]
    """The first of them, in words."""

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was written."""
        return not self.findings

    @property
    def mark(self) -> str:
        """What a later check can be held against."""
        return f"{self.last}:{self.head}"


async def activity(engine: Engine, course: Course, since: float, user: str = "") -> tuple[Entry, ...]:
    """The record since then (Unix seconds), newest first; of one person, if named."""
    return tuple(Entry(**row) for row in await control(engine, course, "activity", str(since), user))


async def check(engine: Engine, course: Course, head: str = "") -> Checked:
    """Whether any entry was changed, taken out or put in; `head` is the mark of an earlier check."""
    told = await control(engine, course, "activity-check", head)
    return Checked(**{**told, "found": tuple(told["found"])})


async def plot(engine: Engine, course: Course, since: float, user: str = "") -> str:
    """The use since then (Unix seconds) as an SVG picture; of one person, if named."""
    told = await control(engine, course, "activity-plot", str(since), user)
    return str(told["svg"])
