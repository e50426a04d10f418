"""Homes moved from node to node: copied, compared, then the hub's record changes, and only then the old one goes.

Killed anywhere, the next run finds by markers and record (`plan/home_moves.py`) whether to undo or to finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from firstbell.coursework.transport import is_helper
from firstbell.engine.cluster import Cluster
from firstbell.engine.waiting import until
from firstbell.errors import CourseFileError, FirstbellError, HomeMissing, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.home import Transfer
from firstbell.model.names import Role
from firstbell.model.observed import NodeState, Observed, Phase
from firstbell.plan.home import home_volume
from firstbell.plan.home_moves import Move, Settled, choose_target, homes_found, marker, settle
from firstbell.plan.server import container_names
from firstbell.work import home_copy
from firstbell.work.home_copy import End, Moved
from firstbell.work.people import control, stop_servers

_RENEW = 20.0
_BUSY = 300.0
"""Seconds; a server that was used in the last five minutes is somebody's who works."""
_SERVER_ENDS = 60.0


async def plan_move(engine: Cluster, course: Course, user: str, target: str) -> tuple[Move, ...]:
    """What `homes move USER NODE` would do; nothing where the home is there. Raises HomeMissing, CourseFileError."""
    observed, recorded = await _known(engine, course)
    _must_take(observed.engine.nodes, target)
    settled = settle(observed, user, recorded.get(user, ""))
    if settled == Settled(target):
        return ()
    return await _with_servers(engine, course, [Move(user, settled.node, target)])


async def plan_moves(engine: Cluster, course: Course, source: str, target: str = "") -> tuple[Move, ...]:
    """What moves everybody's home off a node; to `target`, or to whichever of the others has the fewest."""
    observed, recorded = await _known(engine, course)
    if target:
        _must_take(observed.engine.nodes, target)
    if target == source:
        raise CourseFileError("a node cannot be emptied onto itself", where=source, next_step="Name another one.")
    places = {user: node for user, nodes in homes_found(observed).items() for node in nodes} | {
        user: node for user, node in recorded.items() if node
    }
    count = Counter(places.values())
    moves = []
    for user in sorted(user for user, node in places.items() if node == source):
        chosen = target or choose_target(observed.engine.nodes, source, count)
        count[chosen] += 1
        moves.append(Move(user, settle(observed, user, recorded.get(user, "")).node, chosen))
    return await _with_servers(engine, course, moves)


async def move_home(engine: Cluster, course: Course, move: Move, moved: Moved = lambda _: None) -> Transfer:
    """Move one home; what earlier runs left is finished or undone first.

    Raises FirstbellError; the home is then where it was.
    """
    async with _held(engine, course, move) as token:
        if move.is_running:
            await stop_servers(engine, course, [move.user])
        await _until_no_server(engine, course, move.user)
        observed, recorded = await _known(engine, course)
        settled = settle(observed, move.user, recorded.get(move.user, ""))
        if recorded.get(move.user, "") != settled.node:
            await control(engine, course, "home-switch", move.user, token, settled.node)
        await _clear(engine, course, move.user, settled)
        if settled.node == move.target:
            return Transfer(0, 0)
        return await _move(engine, course, replace(move, source=settled.node), token, observed, moved)


async def _move(  # noqa: PLR0917 - one call, above
    engine: Cluster, course: Course, move: Move, token: str, observed: Observed, moved: Moved
) -> Transfer:
    source, target = await engine.on(move.source), await engine.on(move.target)
    volume, mark = replace(home_volume(course, move.user), node=""), marker(course.name, move.user)
    try:
        await target.ensure_volume(mark)
        await target.ensure_volume(volume)
        ends = End(source, volume.name, move.source), End(target, volume.name, move.target)
        made = await home_copy.copy(observed, move.user, *ends, moved)
        await _until_no_server(engine, course, move.user)
    except BaseException:
        with contextlib.suppress(FirstbellError):
            await asyncio.shield(_undo(engine, course, move))
        raise
    await source.ensure_volume(mark)
    await control(engine, course, "home-switch", move.user, token, move.target)
    await target.remove_volume(mark.name)
    await _clear(engine, course, move.user, Settled(move.target, (move.source,), (move.source,)))
    return made


async def _undo(engine: Cluster, course: Course, move: Move) -> None:
    await _clear(engine, course, move.user, Settled(move.source, (move.target,), (move.target,)))


async def _clear(engine: Cluster, course: Course, user: str, settled: Settled) -> None:
    """Remove what is not the home; of each node first the copy, then the marker that says so."""
    for node in settled.remove:
        machine = await engine.on(node)
        await machine.stop(home_copy.helper_name(course.name, user, node), 0)
        await machine.remove_volume(names.home(course.name, user))
    # The live one's last: until then both of them say what they are.
    for node in sorted(settled.unmark, key=lambda name: name == settled.node):
        await (await engine.on(node)).remove_volume(marker(course.name, user).name)


@contextlib.asynccontextmanager
async def _held(engine: Cluster, course: Course, move: Move) -> AsyncIterator[str]:
    """Nobody starts the user's server meanwhile, and no other command moves the home."""
    token = uuid.uuid4().hex
    await control(engine, course, "home-hold", move.user, token, move.target)

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEW)
            # One that fails is made up for by the next; what counts is the hub's own clock at the switch.
            with contextlib.suppress(FirstbellError):
                await control(engine, course, "home-hold", move.user, token, move.target)

    renewing = asyncio.create_task(renew())
    try:
        yield token
    finally:
        renewing.cancel()
        with contextlib.suppress(FirstbellError):
            await asyncio.shield(control(engine, course, "home-release", move.user, token))


async def _until_no_server(engine: Cluster, course: Course, user: str) -> None:
    containers = container_names(course, user)

    async def none() -> bool:
        observed = await engine.observe(course.name)
        # Coursework that is being put or taken ends by itself, and begins no more while the home is held.
        at_work = (c for c in observed.of_role(Role.HELPER) if c.user == user and is_helper(c.name))
        return not any(at_work) and all(observed.container(name).phase is Phase.MISSING for name in containers)

    try:
        await until(none, deadline=_SERVER_ENDS)
    except TimeoutError:
        raise StartFailed(
            f"the server of {user} has not ended",
            where=containers[0],
            next_step="The home stays where it is. See: firstbell status; then run the command again.",
        ) from None


async def _known(engine: Cluster, course: Course) -> tuple[Observed, dict[str, str]]:
    if course.homes.is_shared:
        raise CourseFileError(
            f"the homes of this course are in {course.homes.store}, which every node has",
            where="[homes] store",
            next_step="Nothing has to be moved.",
        )
    recorded = await control(engine, course, "home-nodes")
    return await engine.observe(course.name), recorded


def _must_take(nodes: Sequence[NodeState], target: str) -> None:
    node = next((n for n in nodes if n.name == target), None)
    if node is None or not node.usable:
        there = ", ".join(n.name for n in nodes if n.usable)
        raise HomeMissing(
            f"there is no node {target}" if node is None else f"{target} can take no homes now",
            where=target,
            next_step=f"These can: {there}." if there else "See how each node is: firstbell nodes list",
        )


async def _with_servers(engine: Cluster, course: Course, moves: Iterable[Move]) -> tuple[Move, ...]:
    """The moves, with who is in, and who was at work in the last minutes."""
    rows = {row["username"]: row for row in await control(engine, course, "list")}
    now = time.time()

    def seen(move: Move) -> Move:
        row = rows.get(move.user, {})
        stamp = row.get("last_seen")
        last = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() if stamp else 0.0
        running = bool(row.get("running"))
        return replace(move, is_running=running, is_busy=running and now - last < _BUSY)

    return tuple(map(seen, moves))
