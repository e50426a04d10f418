"""The `people` commands at work: the roster on disk, and the running hub's part in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from firstbell.engine.base import Engine
from firstbell.engine.waiting import until
from firstbell.errors import CourseFileError, EngineUnavailable, FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.model.roster import Person, Roster
from firstbell.plan.services import roster_file
from firstbell.work.roster_file import read_roster

_TAKEN_UP = 20.0
"""Seconds for the hub to notice a new roster; it looks every two."""


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody of the course, and how far they have come; `state` and the rest are unknown while the hub is down."""

    username: str
    name: str = ""
    email: str = ""
    role: str = ""
    section: str = ""
    state: str = ""
    """`new`, `invited`, `expired`, `joined`; `prepared` is a seat that a bell made and nobody has."""
    running: bool | None = None
    last_seen: str | None = None
    home: str = ""
    """What it held when its server last told, and how full it is where that matters."""
    memory: int | None = None
    """Bytes that their server may use, where they were given more than everybody has,"""
    memory_until: str | None = None
    """and until when."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A personal link: whoever has it is that person, once."""

    username: str
    name: str
    email: str
    section: str
    link: str
    expires: str


async def list_people(engine: Engine, course: Course) -> tuple[tuple[PersonLine, ...], str]:
    """Everybody, and why the hub could not be asked; empty if it could."""
    roster = read_roster(course) if course.access.login == "roster" else Roster()
    try:
        told = {row["username"]: row for row in await control(engine, course, "list")}
        why = ""
    except (EngineUnavailable, StartFailed) as error:
        told, why = {}, error.what
    lines = [_line(person, told.pop(person.username, None)) for person in roster.people]
    return (*lines, *(PersonLine(**_known(row)) for row in told.values())), why


def _line(person: Person, row: dict[str, Any] | None) -> PersonLine:
    facts = _known(row) if row else {}
    return PersonLine(
        person.username,
        person.name,
        person.email,
        person.role.value,
        person.section,
        facts.get("state", ""),
        facts.get("running"),
        facts.get("last_seen"),
        facts.get("home", ""),
        facts.get("memory"),
        facts.get("memory_until"),
    )


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in PersonLine.__slots__ if name in row}


async def push_roster(engine: Engine, course: Course, roster: Roster) -> str:
    """Give the running hub the roster as it is on disk, and wait until it has taken it up.

    Gives why that could not be; empty if it was. The next `up` brings the roster in any case.
    """
    name = names.container(course.name, Role.HUB)
    wanted = {person.username for person in roster.people}

    async def taken_up() -> bool:
        listed = {row["username"] for row in await control(engine, course, "list")}
        return listed - set(course.access.staff) == wanted - set(course.access.staff)

    try:
        if (await engine.state(name)).phase is not Phase.RUNNING:
            return "the course does not run"
        await engine.put(name, [roster_file(course.access.roster.read_bytes())])
        await until(taken_up, deadline=_TAKEN_UP, first=0.5, longest=2.0)
    except TimeoutError:
        return f"the hub has not taken it up after {_TAKEN_UP:.0f} s (firstbell logs hub)"
    except (EngineUnavailable, StartFailed) as error:
        return error.what
    return ""


async def invite(engine: Engine, course: Course, usernames: Iterable[str]) -> tuple[Invitation, ...]:
    """New personal links; without names, for all who have not joined. Older links of these people stop working."""
    return _invitations(await control(engine, course, "invite", *usernames))


async def reset(engine: Engine, course: Course, usernames: Sequence[str]) -> tuple[Invitation, ...]:
    """Void passwords and sessions, and give new links."""
    return _invitations(await control(engine, course, "reset", *usernames))


def _invitations(rows: list[dict[str, str]]) -> tuple[Invitation, ...]:
    return tuple(Invitation(*(row.get(name, "") for name in Invitation.__slots__)) for row in rows)


@dataclass(frozen=True, slots=True)
class StaffAct:
    """Something that staff did; `at` in UTC, `result` empty as long as it is not known."""

    at: str
    who: str
    what: str
    whom: str
    words: str
    result: str


async def acts(engine: Engine, course: Course, since: float, user: str = "") -> tuple[StaffAct, ...]:
    """The record of what staff did since then (Unix seconds), newest first; of one person, if named."""
    rows = await control(engine, course, "acts", str(since), user)
    return tuple(StaffAct(**row) for row in rows)


async def control(engine: Engine, course: Course, verb: str, *usernames: str, program: str = "control") -> Any:
    """Ask the running hub, by that program of its container.

    Raises StartFailed if it does not run, CourseFileError with its own refusal.
    """
    return await control_of(engine, course.name, verb, *usernames, program=program)


async def control_of(engine: Engine, course: str, verb: str, *usernames: str, program: str = "control") -> Any:
    """The same, by the course's name."""
    name = names.container(course, Role.HUB)
    if (await engine.state(name)).phase is not Phase.RUNNING:
        raise StartFailed("the course does not run", where=name, next_step="Start it: firstbell up")
    result = await engine.exec(name, ["python3", "-m", f"firstbell.hub.{program}", verb, "--", *usernames])
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        raise StartFailed(
            "the hub could not answer", where=name, evidence=result.lines, next_step="See: firstbell logs hub"
        ) from None
    if isinstance(answer, dict) and "error" in answer:
        raise _refusal(answer["error"], result.exit_code)
    return answer


def _refusal(error: dict[str, str], code: int) -> FirstbellError:
    kind = StartFailed if code == StartFailed.exit_code else CourseFileError
    return kind(error.get("what", ""), where=error.get("where", ""), next_step=error.get("next_step", ""))


async def stop_servers(engine: Engine, course: Course, usernames: Iterable[str]) -> None:
    """Stop the servers of these people through the hub, and wait until they have ended."""
    await control(engine, course, "stop", *usernames)


async def forget_home(engine: Engine, course: Course, username: str) -> bool:
    """Tell the hub that this home was deleted on purpose: the next start makes a new one instead of failing.

    Whether the hub expected one until now.
    """
    told = await control(engine, course, "forget-home", username)
    return username in told["forgotten"]
