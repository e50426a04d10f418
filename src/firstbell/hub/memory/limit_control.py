"""What `firstbell people limit` asks of a hub; verbs of `firstbell.hub.control`.

| verb | arguments | answer |
|---|---|---|
| `limit` | a user name, bytes, Unix seconds, `try` for nothing but the refusal | `outcome`, in words |
| `limit-clear` | a user name | `outcome`, and whether they `had` more than everybody |
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.errors import CourseFileError
from firstbell.hub.control_io import HubFiles
from firstbell.hub.memory import limits
from firstbell.hub.people.control import have_done, list_people
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.plan.memory_limit import NEXT_START, Grant, told, words


def answer(hub: HubFiles, verb: str, asked: Sequence[str]) -> Any:
    """What the verb answers. Raises FirstbellError."""
    user, *more = asked
    if user not in {row["username"] for row in list_people(hub)}:
        raise CourseFileError(f"there is no {user} in this course", next_step="Look at: firstbell people list")
    if verb == "limit-clear":
        had = user in limits.grants(hub.store)
        return {"had": had, "outcome": _changed(hub, user, None) if had else ""}
    grant = _grant(more)
    limits.refuse(hub.store, hub.course, grant)
    if "try" in more:
        return {"outcome": ""}
    return {"outcome": _changed(hub, user, grant)}


def _changed(hub: HubFiles, user: str, grant: Grant | None) -> str:
    """Written down, remembered, done by the running hub, and told to its person."""
    until = datetime.fromtimestamp(grant.until if grant else 0, ZoneInfo(hub.course.time_zone))
    book = ActsBook(hub.state / acts.FILE)
    try:
        shown = words(grant, until.strftime("%Y-%m-%d %H:%M"), hub.course.server.memory)
        with book.noted(acts.COMMAND_LINE, limits.ORDER, [user], shown):
            limits.give(hub.store, user, grant)
            have_done(hub, limits.ORDER, [user])
        outcome = limits.take_outcome(hub.store, user) or NEXT_START
        book.tell("", [user], told(shown, outcome))
        return outcome
    finally:
        book.close()


def _grant(asked: Sequence[str]) -> Grant:
    try:
        return Grant(int(asked[0]), float(asked[1]))
    except (ValueError, IndexError):
        raise CourseFileError(f"a limit is bytes and Unix seconds (now {time.time():.0f})") from None
