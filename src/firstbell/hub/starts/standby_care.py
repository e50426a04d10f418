"""Keeps containers ready for the next visitors of a seminar, whose seats' numbers are known before they come.

A standby is the container of the next seat's server, with that seat's new and empty home, started, its launcher
waiting to be told whose it is. Whoever takes the seat goes the way of every start, which finds it (`Engine.prepare`).
Nobody else knows of it: there is no such user yet, no seat, no token; it fills no room. What goes wrong with it costs
nobody more than the quicker start.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from firstbell.errors import FirstbellError
from firstbell.hub.context import HubContext
from firstbell.hub.people.seats import seat_name
from firstbell.hub.starts.starting import who_is
from firstbell.model import names
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.observed import Phase
from firstbell.plan.app import server_specs
from firstbell.plan.home import home_volume
from firstbell.plan.memory_room import room_for_more
from firstbell.plan.server import ServerInputs

LOG = logging.getLogger("firstbell.standby")

LOOK_EVERY = 1.0
"""Seconds between two looks: a few lookups in memory and one row of a database."""
CALM = 2.0
"""Seconds without a start before a container is made beforehand: those who have come are to have the machine first."""
ALIVE_EVERY = 15.0
"""Seconds between two questions whether those that wait still do."""
PATIENCE = 60.0
"""Seconds until another is tried after one could not be made."""
COMING = 60.0
"""Seconds for which one is kept whose seat was given: its person's start follows the login."""
LEAST_ROOM = 3
"""How many servers the memory must still hold: the last ones are for those who have come."""
_KEPT = "standby"
_DEADLINE = 60.0


def wanted(course: Course) -> int:
    """How many containers are to wait: none where the next person, or their home, cannot be known beforehand."""
    if course.access.login != "seminar" or course.homes.store != "volume" or course.server.port:
        return 0
    return course.access.standby


class StandbyCare:
    """The task beside the hub."""

    def __init__(self, context: HubContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._clock = clock
        # On a cluster it is not known where the next one will be.
        self._wanted = 0 if context.cluster else wanted(context.course)
        self._busy = self._asked = clock()
        self._not_before = float("-inf")
        self._given: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again until cancelled, where there is anything to look after. No failure ends it."""
        while self._wanted:
            try:
                async with asyncio.timeout(_DEADLINE):
                    await self.look()
            except (FirstbellError, OSError, TimeoutError) as error:
                self._later()
                LOG.info("No container could be made for the next who comes; starts take longer: %s", error)
            except Exception:
                self._later()
                LOG.exception("Looking after the containers that wait failed, trying again")
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Bring what waits closer to what should. Raises FirstbellError, OSError, sqlite3.Error."""
        now, context = self._clock(), self._context
        if len(context.starts):
            self._busy = now
        last = context.store.last_seat()
        seats = [seat_name(number) for number in range(last + 1, last + 1 + self._wanted)]
        await self._remove_useless(seats, now)
        missing = [seat for seat in seats if seat not in context.standbys.users()]
        if missing and now >= self._not_before and now - self._busy >= CALM and self._has_room():
            await self._make(missing[0])

    async def _remove_useless(self, seats: list[str], now: float) -> None:
        """Those that have ended, and those whose seats others were given, or nobody came for."""
        ask = now - self._asked >= ALIVE_EVERY
        self._asked = now if ask else self._asked
        for user in sorted(self._context.standbys.users() - self._context.starts.users()):
            since = self._given.setdefault(user, now) if user not in seats else now
            if user in seats:
                self._given.pop(user, None)
            if now - since >= COMING or (ask and not await self._waits(user)):
                self._given.pop(user, None)
                await remove(self._context, user)

    async def _waits(self, user: str) -> bool:
        name = names.standby(self._context.course.name, user)
        return (await self._context.engine.state(name)).phase in {Phase.RUNNING, Phase.PAUSED, Phase.UNKNOWN}

    def _has_room(self) -> bool:
        context = self._context
        fits = room_for_more(context.machine.memory(), context.course.server.memory)
        return context.room.has_room() and (fits is None or fits >= LEAST_ROOM)

    async def _make(self, user: str) -> None:
        context, course = self._context, self._context.course
        spec = await self._spec(user)
        name = names.standby(course.name, user)
        context.store.keep(_KEPT, " ".join(sorted({*context.standbys.users(), user})))
        if not await context.engine.ensure_volume(home_volume(course, user)) and not self._is_ours(user):
            # Somebody's: the hub's record was lost, or put back from a backup. Nothing of it is touched.
            forget(context, user)
            self._later()
            return
        context.standbys.add(user, name)
        try:
            is_possible = await context.engine.prepare(name, spec)
        except BaseException:
            await asyncio.shield(remove(context, user))
            raise
        if not is_possible:
            self._wanted = 0
            await remove(context, user)

    def _is_ours(self, user: str) -> bool:
        """Whether the home that there is was made in this moment, by the start of the very person it is for."""
        return user in self._context.starts.users()

    async def _spec(self, user: str) -> ContainerSpec:
        context = self._context
        accounts = await context.parts.accounts()
        return server_specs(
            ServerInputs(
                course=context.course,
                runtime=context.runtime,
                who=who_is(context, user),
                hub_env={},
                ready_url="",
                hub_version="",
                accounts=accounts,
                launcher=context.parts.launcher,
                authorities=context.parts.authorities,
            )
        )[0]

    def _later(self) -> None:
        self._not_before = self._clock() + PATIENCE


def kept(context: HubContext) -> list[str]:
    """The users for whom a container and a home may have been made, by this hub or one before it."""
    return (context.store.kept(_KEPT) or "").split()


def forget(context: HubContext, user: str) -> None:
    """Nothing is left of what was made for them beforehand, or it is theirs by now."""
    context.standbys.remove(user)
    if user in (users := kept(context)):
        context.store.keep(_KEPT, " ".join(other for other in users if other != user))


async def remove(context: HubContext, user: str) -> None:
    """Remove the container, and the home that nobody had. Raises EngineUnavailable: then it is done by a later one."""
    await context.engine.stop(names.standby(context.course.name, user), 0)
    if not context.store.has_home(user) and user not in context.starts.users():
        await context.engine.remove_volume(names.home(context.course.name, user))
    forget(context, user)


async def forget_old(context: HubContext) -> None:
    """Remove what a hub before this one has left waiting; it belongs to nobody, and it ended with that hub."""
    for user in kept(context):
        try:
            async with asyncio.timeout(_OLD_DEADLINE):
                await remove(context, user)
        except (FirstbellError, TimeoutError) as error:
            LOG.warning("What was made for %s beforehand could not be removed: %s", user, error)
            return


_OLD_DEADLINE = 4.0
"""Seconds for which the hub's own start waits for the engine; people wait with it."""
