"""The engine of a hub on trial: it can change what is of its own course, and nothing else, whatever its files say."""

from __future__ import annotations

from typing import Any, cast

from firstbell.engine.base import Engine
from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.course import Course

_LOOKS = frozenset(
    {
        "close", "facts", "observe", "state", "logs", "usage", "events", "get", "read_image_files", "image", "history",
        "save",
    }
)  # fmt: skip
"""Verbs that change nothing; each other one, also one that comes later, is asked whom it means."""


class Confined:
    """An engine whose changing verbs refuse every name that is not the course's. Images it cannot change at all."""

    def __init__(self, engine: Engine, course: str) -> None:
        self._engine = engine
        self._course = course

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._engine, verb)
        if verb in _LOOKS:
            return call

        def checked(first: Any, *rest: Any, **more: Any) -> Any:
            given = (first, *(other for other in rest if verb == "prepare"))
            for name in (value if isinstance(value, str) else getattr(value, "name", "") for value in given):
                if not names.is_of(self._course, name):
                    raise StartFailed(f"a hub on trial must not {verb} {name}", where=self._course)
            return call(first, *rest, **more)

        return checked


def confined(engine: Engine, course: Course) -> Engine:
    """The engine, confined where the course is a trial; itself where it is not."""
    return cast("Engine", Confined(engine, course.name)) if names.is_trial(course.name) else engine
