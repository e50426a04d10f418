"""Whether what homes may hold is enforced, as the running hub has found."""

from __future__ import annotations

from firstbell.engine.base import Engine
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.model.course import Course
from firstbell.work.hub_figures import HubFigures, hub_figures

_KNOWN_AFTER = 15.0
"""Seconds for a hub that has just started to look at the homes' file system."""


async def unenforced(engine: Engine, course: Course, *, patient: bool = False) -> str:
    """Why the course's quota is told and nothing more, in a sentence; empty where it is enforced, or none is set.

    A hub that is away, or has not looked yet, is no reason to say anything; `patient` waits for one that has not.
    """
    if not (course.homes.quota or course.homes.files):
        return ""
    found: list[HubFigures | None] = []

    async def known() -> bool:
        found.append(await hub_figures(engine, course))
        return not patient or found[-1] is None or found[-1].homes_enforced is not None

    try:
        await until(known, deadline=_KNOWN_AFTER, first=0.3, longest=2.0)
    except (TimeoutError, EngineUnavailable):
        return ""
    last = found[-1]
    return unenforced_words(last.homes_why) if last and last.homes_enforced is False else ""


def unenforced_words(why: str) -> str:
    """For `up`, `status` and `doctor`."""
    return f"What homes may hold is told and not enforced: {why}"
