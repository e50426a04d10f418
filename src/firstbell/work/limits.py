"""`firstbell people limit` at work: the running hub gives it, and says what became of it."""

from __future__ import annotations

from firstbell.engine.base import Engine
from firstbell.model.course import Course
from firstbell.plan.memory_limit import Grant
from firstbell.work.people import control


async def give(engine: Engine, course: Course, user: str, grant: Grant, *, is_trial: bool = False) -> str:
    """What became of it, in words. Raises CourseFileError for what cannot be given, StartFailed without a hub."""
    asked = (str(grant.memory), str(grant.until), *(("try",) if is_trial else ()))
    return str((await control(engine, course, "limit", user, *asked))["outcome"])


async def take_back(engine: Engine, course: Course, user: str) -> str | None:
    """What became of it; None for somebody who had no more than everybody."""
    answer = await control(engine, course, "limit-clear", user)
    return str(answer["outcome"]) if answer["had"] else None
