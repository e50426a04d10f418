"""The backup commands at work: orders for the running hub; where none runs, the same is done here."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from firstbell.backup.backups import Backups, Tell, table_of
from firstbell.backup.homes import Homes, Known
from firstbell.backup.orders import What
from firstbell.backup.standing import Standing, standing
from firstbell.backup.worker import do
from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import EngineUnavailable, FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.work import build
from firstbell.work.lock import course_lock
from firstbell.work.people import control
from firstbell.work.roster_file import roster_of

PROGRAM = "backup_control"
_HUB_AWAY = 60.0
"""Seconds for which a hub may be away while it is waited for."""
_TAKEN = 90.0
"""Seconds after which an order that nothing else is before should have been begun."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an order."""

    words: str
    result: Mapping[str, Any]


@asynccontextmanager
async def backups_of(
    engine: Engine, course: Course, report: Report = ignore, cpu: float = 0.5
) -> AsyncIterator[Backups]:
    """The course's backups, as they are reached from here; the image in which restic works is made if it is missing."""
    table_of(course)
    image = await ensure_image(engine, course, report)

    async def ask() -> Known:
        return await known(engine, course)

    backups = Backups(course, engine, image, Homes(course, engine, image, ask), cpu=cpu)
    # The hub's service, and other commands, may be at work at the same time.
    backups.helpers = replace(backups.helpers, mark=f"-{secrets.token_hex(3)}")
    yield backups


async def ensure_image(engine: Engine, course: Course, report: Report = ignore) -> str:
    """The image in which restic works, built if it is missing. Raises BuildFailed."""
    spec = build.plan_vault_image(course)
    if spec is None:
        raise TypeError("a course without [backup] has no such image")
    if await engine.image(spec.tag) is None:
        await build.get_base(engine, course.server.base, course.network, report)
        await build.build(engine, spec, report)
    return spec.tag


async def known(engine: Engine, course: Course) -> Known:
    """Who the hub knows, or, where none answers, the roster."""
    if await hub_runs(engine, course):
        told = await control(engine, course, "known", program=PROGRAM)
        ids = {user: (uid, gid) for user, (uid, gid) in told["ids"].items()}
        return Known(tuple(told["users"]), told["nodes"], ids)
    people = roster_of(course).people
    server = course.server
    own = {p.username: (p.uid, server.gid if p.gid is None else p.gid) for p in people if p.uid is not None}
    return Known(tuple(sorted({*(p.username for p in people), *course.access.staff})), {}, own)


async def hub_runs(engine: Engine, course: Course) -> bool:
    """Whether there is a hub to order from. Raises EngineUnavailable."""
    return (await engine.state(names.container(course.name, Role.HUB))).phase is Phase.RUNNING


async def order(
    engine: Engine, course: Course, kind: What, wish: Mapping[str, Any], *, tell: Tell, report: Report = ignore
) -> Done:
    """Have it done by the running hub, or do it here where none runs. Raises FirstbellError with why not."""
    table_of(course)
    if await hub_runs(engine, course):
        made = await control(engine, course, "order", kind.value, json.dumps(dict(wish)), program=PROGRAM)
        return await _follow(engine, course, made, tell)
    if course.engine.kind == "swarm":
        raise StartFailed("the course does not run", where=course.name, next_step="Start it: firstbell up")
    with course_lock(course.name):
        async with backups_of(engine, course, report) as backups:
            plain = {name: value for name, value in wish.items() if name != "label"}
            words, result = await do(backups, kind, plain, tell)
            return Done(words, result)


async def _follow(engine: Engine, course: Course, order: dict[str, Any], tell: Tell) -> Done:
    """Until it is over; a command that is ended meanwhile ends nothing of it."""
    begun, number = time.monotonic(), str(order["id"])
    while order["state"] in {"due", "doing"}:
        tell(order["done"], order["all"], order["words"] or "waiting for what is before it")
        seen = f"{order['state']}/{order['done']}/{order['words']}"
        order = await _patiently(engine, course, "progress", number, seen)
        waits_long = order["state"] == "due" and time.monotonic() - begun > _TAKEN
        if waits_long and not any(one["state"] == "doing" for one in (await orders(engine, course))["open"]):
            raise StartFailed(
                "the hub does not begin with it",
                where=names.container(course.name, Role.HUB),
                next_step="It stays ordered. See: firstbell logs hub",
            )
    if order["state"] == "failed":
        told = order["result"]
        raise FirstbellError(
            order["words"],
            where=told.get("where", ""),
            next_step=told.get("next_step", ""),
            evidence=told.get("evidence", []),
        )
    return Done(order["words"], order["result"])


async def _patiently(engine: Engine, course: Course, verb: str, *words: str) -> Any:
    """What it answers. A hub that is replaced, or was killed, has a while to come back."""
    until = time.monotonic() + _HUB_AWAY
    while True:
        try:
            return await control(engine, course, verb, *words, program=PROGRAM)
        except (EngineUnavailable, StartFailed):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(1)


async def orders(engine: Engine, course: Course) -> dict[str, Any]:
    """What is open and what ended last; nothing where no hub runs."""
    if not await hub_runs(engine, course):
        return {"open": [], "last": {}, "last_good": None}
    told: dict[str, Any] = await control(engine, course, "orders", program=PROGRAM)
    return told


async def stands(backups: Backups, now: float) -> Standing:
    """How the backups stand at this moment. Raises BackupFailed."""
    subjects = (*await backups.homes.subjects(), *backups.own_subjects)
    return standing(await backups.snapshots(may_be_none=True), subjects, backups.course.name, backups.table.every, now)
