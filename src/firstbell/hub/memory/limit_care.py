"""Gives a server that runs the memory that its person may have by now; and what staff are offered to give."""

from __future__ import annotations

import logging
from typing import Any

from firstbell.errors import FirstbellError
from firstbell.hub.context import HubContext
from firstbell.hub.memory import limits
from firstbell.hub.pages.shared import moment_in
from firstbell.plan.memory_limit import AT_ONCE, KEEPS, NEXT_START, choices
from firstbell.plan.memory_room import size_words

LOG = logging.getLogger("firstbell.limits")
LENGTHS = {4: "for 4 hours", 24: "for a day", 7 * 24: "for a week"}
"""In hours: what is offered on the page; the command line takes any time."""


async def apply(context: HubContext, user: Any) -> str:
    """What became of it, in words. `user` is JupyterHub's."""
    words = await _applied(context, user)
    LOG.info("The memory of %s: %s", user.name, words)
    return words


async def apply_ordered(context: HubContext, user: Any) -> None:
    """The same, for a command that waits for it."""
    limits.note_outcome(context.store, user.name, await apply(context, user))


async def _applied(context: HubContext, user: Any) -> str:
    spawner, wanted = user.spawner, limits.memory_of(context.store, context.course, user.name)
    has = spawner.memory or context.course.server.memory
    if not spawner.ready:
        return NEXT_START
    if wanted <= has:
        return AT_ONCE if wanted == has else KEEPS
    try:
        is_done = await context.engine.limit(spawner.containers[-1], wanted)
    except FirstbellError as error:
        return f"{NEXT_START}; not at once, as {error.what}"
    if not is_done:
        return NEXT_START
    spawner.memory = wanted
    spawner.orm_spawner.state = spawner.get_state()
    user.db.commit()
    return AT_ONCE


def offered(context: HubContext, username: str) -> dict[str, Any]:
    """For the person's page: what they have more than everybody, and what can be given."""
    grant = limits.grants(context.store).get(username)
    amounts = choices(context.course, limits.largest_machine(context.store))
    return {
        "given": f"{size_words(grant.memory)} until {moment_in(context.course, grant.until)}" if grant else "",
        "amounts": {amount: size_words(amount) for amount in amounts},
        "lengths": LENGTHS,
        "at_once": context.cluster is None,
    }
