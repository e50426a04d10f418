"""What upgrades have saved of a course, asked and changed by a container of the hub's image; see `hub/saved.py`."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase, RunResult
from firstbell.plan.services import PYTHON
from firstbell.plan.upgrade import Saved, saved_helper

_LONG = 1800.0


async def ask(engine: Engine, course: Course, image: str, *words: str, fills: str = "") -> Any:
    """What a verb answers. Raises FirstbellError with its refusal."""
    result = await engine.run(saved_helper(course, image, words, fills=fills), deadline=_LONG)
    return _answer(result, words[0])


async def points(engine: Engine, course: Course, image: str) -> tuple[Saved, ...]:
    """What is saved, the oldest first."""
    rows = await ask(engine, course, image, "list")
    return tuple(Saved(row["id"], row["kind"], row["version"], row.get("size", 0)) for row in rows)


async def note(engine: Engine, course: Course, what: str, words: str) -> None:
    """Have the hub that runs write down what was done. One that does not run, or is too old to, writes nothing."""
    hub = names.container(course.name, Role.HUB)
    with contextlib.suppress(FirstbellError):
        if (await engine.state(hub)).phase is Phase.RUNNING:
            await engine.exec(hub, [PYTHON, "-m", "firstbell.hub.saved", "note", "--", what, words])


def _answer(result: RunResult, verb: str) -> Any:
    try:
        told = json.loads(result.stdout)
    except ValueError:
        raise FirstbellError(
            f"the hub's databases could not be looked after ({verb})",
            next_step="Is the disk full? `df -h` shows it.",
            evidence=result.lines,
        ) from None
    if isinstance(told, dict) and "error" in told:
        raise FirstbellError(told["error"]["what"], next_step=told["error"]["next_step"])
    return told
