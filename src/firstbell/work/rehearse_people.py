"""The test people of a rehearsal: made by the running hub, and removed with servers and homes, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from firstbell.engine.base import Engine
from firstbell.engine.waiting import until
from firstbell.errors import FirstbellError, HomeMissing, StartFailed
from firstbell.model.course import Course
from firstbell.model.names import LABEL_USER
from firstbell.model.observed import Observed
from firstbell.plan.place import course_place
from firstbell.rehearsal.visit import Person
from firstbell.work.homes import delete_home
from firstbell.work.people import control

_REMOVED = 900.0
"""Seconds for the hub to stop the servers of everybody; it stops some four a second."""
_AT_ONCE = 8


async def open_rehearsal(engine: Engine, course: Course, count: int) -> list[Person]:
    """Test people of the running course. Raises CourseBusy where an earlier rehearsal has left some."""
    made = await control(engine, course, "rehearse-open", str(count))
    cookies = made.get("cookies", {})
    return [
        Person(number, fields=entry.get("fields", {}), door=entry.get("door", ""), cookies=cookies)
        for number, entry in enumerate(made["people"])
    ]


async def left_over(engine: Engine, course: Course) -> tuple[str, ...] | None:
    """The test people there are (of a seminar's, those who have a seat); None where no rehearsal has left anything."""
    state = await control(engine, course, "rehearse-state")
    return None if state["phase"] == "none" else tuple(state["people"])


async def clear_away(engine: Engine, course: Course) -> int:
    """Remove every test person with server and home; how many there were. Killed half-way, the next call goes on.

    Raises StartFailed where the hub could not remove them.
    """
    if await left_over(engine, course) is None:
        return 0
    await control(engine, course, "rehearse-close")
    state = await _closed(engine, course)
    people: list[str] = state["people"]
    await _remove_homes(engine, course, people)
    await control(engine, course, "rehearse-end")
    return len(people)


async def _closed(engine: Engine, course: Course) -> dict[str, Any]:
    state: dict[str, Any] = {}

    async def closed() -> bool:
        state.update(await control(engine, course, "rehearse-state"))
        return state["phase"] in {"closed", "none"}

    try:
        await until(closed, deadline=_REMOVED, first=0.3, longest=2.0)
    except TimeoutError as error:
        why = state.get("problem") or "no reason told"
        raise StartFailed(
            f"the hub has not removed the test people after {_REMOVED:.0f} s: {why}",
            next_step="See: firstbell logs hub; then try again: firstbell rehearse --clean-up",
        ) from error
    return state


async def _remove_homes(engine: Engine, course: Course, people: Sequence[str]) -> None:
    """Of these alone. What the hub did not stop, as its record of it was lost, is stopped here."""
    observed = await engine.observe(course.name)
    gate = asyncio.Semaphore(_AT_ONCE)
    wanted = set(people)

    async def remove(user: str) -> None:
        async with gate:
            for container in observed.containers:
                if container.labels.get(LABEL_USER) == user:
                    await engine.stop(container.name, 0)
            await _remove_home(engine, course, observed, user)

    failed = [e for e in await asyncio.gather(*map(remove, wanted), return_exceptions=True) if e is not None]
    if failed:
        raise failed[0] if isinstance(failed[0], FirstbellError) else FirstbellError(str(failed[0]))


async def _remove_home(engine: Engine, course: Course, observed: Observed, user: str) -> None:
    place = course_place(course, user)
    if place.directory:
        try:
            await delete_home(engine, place)
        except HomeMissing:
            return
    elif observed.volume(place.name) is not None:
        await engine.remove_volume(place.name)
