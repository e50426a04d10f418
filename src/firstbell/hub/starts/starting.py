"""The start of one server, from somebody's turn in the queue to an answering Jupyter, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from firstbell.errors import EngineUnavailable, HomeMissing, StartFailed
from firstbell.hub.context import HubContext
from firstbell.hub.homes import choice as home_choice
from firstbell.hub.homes.control import refuse_while_moving
from firstbell.hub.homes.store import missing
from firstbell.hub.starts import causes
from firstbell.hub.starts.causes import Cause
from firstbell.hub.starts.queue import GivenUp, Lane
from firstbell.hub.starts.stages import Stages
from firstbell.hub.starts.under_way import Start
from firstbell.model.observed import ContainerState, Phase
from firstbell.plan.app import SIDECAR_LIMITS, server_specs
from firstbell.plan.home import directory_helper, home_volume, store_volume
from firstbell.plan.memory_room import full_words, room_for_more
from firstbell.plan.server import ServerInputs, Who, app_name, container_names

LOOK_EVERY = 5.0
"""Seconds between looks at a starting container, for the case that no event told of its end."""
_LOOK_DEADLINE = 10.0
_AGAIN = 1.0
_HOME_DEADLINE = 60.0
_LOG_DEADLINE = 5.0
_ALIVE = {Phase.CREATED, Phase.RUNNING, Phase.PAUSED, Phase.UNKNOWN}


class ServerFailed(Exception):
    """A server did not start; `cause` says why."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.text)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Wanted:
    """A start that somebody asked for."""

    user: str
    token: str = field(repr=False)
    """The server's own, by which it reports."""
    hub_env: Mapping[str, str] = field(repr=False)
    ready_url: str
    hub_version: str
    lane: Lane = Lane.PERSON
    kernel_at_start: bool = False
    """Whether a kernel is made ready as soon as the server runs, as before a bell."""
    memory: int = 0
    """Bytes that the server may use; 0 is the course's."""


@dataclass(slots=True)
class Times:
    """Seconds that each stage of a start took."""

    queued: float = 0.0
    home: float = 0.0
    engine: float = 0.0
    boot: float = 0.0
    _reached: int = field(default=0, repr=False)
    _mark: float = field(default_factory=time.monotonic, repr=False)

    def lap(self) -> float:
        """Seconds since the last lap: what the stage took that ends now."""
        now = time.monotonic()
        passed, self._mark = now - self._mark, now
        self._reached += 1
        return passed

    @property
    def done(self) -> tuple[float, ...]:
        """Those of the stages that came to their end."""
        return (self.queued, self.home, self.engine, self.boot)[: self._reached]

    def __str__(self) -> str:
        return f"queue {self.queued:.2f} s, home {self.home:.2f} s, engine {self.engine:.2f} s, boot {self.boot:.2f} s"


@dataclass(frozen=True, slots=True)
class Started:
    """Where a server that was started is."""

    address: str
    """At which hub and proxy reach it."""
    node: str = ""
    """Of a cluster."""


async def start_server(context: HubContext, wanted: Wanted, stages: Stages, times: Times) -> Started:
    """The started server. Raises ServerFailed; whatever was made is gone then, but for the home.

    Raises GivenUp where its person left before its turn had come; nothing was made then.
    """
    containers = container_names(context.course, wanted.user)
    start = context.starts.begin(wanted.user, containers, wanted.token, wanted.memory)
    try:
        await _home_is_near(context, wanted.user)
        await _only_writer(context, wanted.user, stages)
        async with context.queue.turn(wanted.user, wanted.lane):
            times.queued = times.lap()
            _have_room(context, start)
            at_work = _start(context, wanted, start, stages, times)
            return await context.homes.within(wanted.user, start.node, at_work)
    except GivenUp:
        raise
    except ServerFailed:
        await discard(context, *containers)
        raise
    except (StartFailed, EngineUnavailable, OSError, TimeoutError) as error:
        await discard(context, *containers)
        raise ServerFailed(causes.of_error(error)) from error
    except BaseException:
        # Cancelled, or our own mistake: nothing may stay behind either way.
        await asyncio.shield(discard(context, *containers))
        raise
    finally:
        context.starts.end(start)


async def discard(context: HubContext, *containers: str, grace: int = 0) -> None:
    """Remove containers; one that cannot be removed now is found by the next look for strangers."""
    with contextlib.suppress(EngineUnavailable, TimeoutError):
        # What hangs in a store that is away ends when that is back.
        async with asyncio.timeout(_LOOK_DEADLINE if context.homes.is_away else None):
            await end(context, *containers, grace=grace)


async def end(context: HubContext, *containers: str, grace: int = 0) -> None:
    """Stop and remove a server's containers, the last one first: it has its network from the first."""
    for name in reversed(containers):
        await context.engine.stop(name, grace)


async def last_words(context: HubContext, name: str) -> list[str]:
    """The last log lines; none if they cannot be had in a moment."""
    lines: list[str] = []
    with contextlib.suppress(EngineUnavailable, TimeoutError):
        async with asyncio.timeout(_LOG_DEADLINE):
            lines += [line async for line in context.engine.logs(name, tail=causes.LINES)]
    return lines


def who_is(context: HubContext, user: str) -> Who:
    """The user with the ids their server runs as: those of the roster, else the course's."""
    person, server = context.person(user), context.course.server
    uid = person.uid if person and person.uid is not None else server.uid
    gid = person.gid if person and person.gid is not None else server.gid
    return Who(user, uid, gid)


async def _start(context: HubContext, wanted: Wanted, start: Start, stages: Stages, times: Times) -> Started:
    who = who_is(context, wanted.user)
    stages("home")
    accounts = await context.parts.accounts()
    await _have_home(context, who, start.node)
    times.home = times.lap()
    specs = server_specs(
        ServerInputs(
            course=context.course,
            runtime=context.runtime,
            who=who,
            hub_env=wanted.hub_env,
            ready_url=wanted.ready_url,
            hub_version=wanted.hub_version,
            accounts=accounts,
            launcher=context.parts.launcher,
            authorities=context.parts.authorities,
            sidecar=context.parts.sidecar,
            static=context.parts.static(),
            kernel_at_start=wanted.kernel_at_start,
            memory=wanted.memory,
            beside_hub=bool(context.cluster and context.cluster.nodes.own == start.node),
        )
    )
    if start.node:
        specs = tuple(replace(spec, node=start.node) for spec in specs)
    state = await context.engine.start(specs[0], stages)
    context.standbys.remove(who.user)
    for spec in specs[1:]:
        await context.engine.start(spec)
    times.engine = times.lap()
    stages("app" if context.course.server.port else "boot")
    await _ready(context, start)
    times.boot = times.lap()
    stages("ready")
    return Started(state.address or (await context.engine.state(specs[0].name)).address, start.node)


async def _home_is_near(context: HubContext, user: str) -> None:
    """See that the node of the home can be had, before anybody waits in a queue for it. Raises HomeMissing."""
    if context.cluster and context.cluster.homes:
        async with asyncio.timeout(_LOOK_DEADLINE):
            await context.cluster.homes.check(user)


async def _only_writer(context: HubContext, user: str, stages: Stages) -> None:
    """Of a home that every node can mount: wait until an earlier server of this user has ended for certain."""
    leases = context.cluster.leases if context.cluster else None
    while leases and (left := leases.left(user)) > 0 and not await _is_nowhere(context, user):
        stages("lease")
        await asyncio.sleep(min(left, _AGAIN))


async def _is_nowhere(context: HubContext, user: str) -> bool:
    """Whether all nodes can be asked, and none has a server of this user, nor had time to come back with one."""
    cluster = context.cluster
    if cluster is None or cluster.leases is None or not cluster.nodes.all_there_for(cluster.leases.seconds):
        return False
    states = [await context.engine.state(name) for name in container_names(context.course, user)]
    return all(state.phase in {Phase.MISSING, Phase.EXITED} for state in states)


def _have_room(context: HubContext, start: Start) -> None:
    """Refuse rather than let the kernel end somebody's work. Raises ServerFailed where the memory is full."""
    if context.cluster:
        if not start.node:
            raise ServerFailed(causes.of_no_place(context.cluster.room.refusal(start.user)))
        return
    memory, limit = context.machine.memory(), start.memory or context.course.server.memory
    others = len(context.starts) - context.queue.waiting - 1
    if room_for_more(memory, limit, coming=max(0, others)) == 0:
        raise ServerFailed(causes.of_full_memory(full_words(memory, limit, context.machine.running())))


async def _have_home(context: HubContext, who: Who, node: str) -> None:
    """See that the home exists. Raises HomeMissing where it did once and does not now: never an empty one instead."""
    refuse_while_moving(context.store, who.user)
    had = context.store.has_home(who.user)
    home_node = node if context.course.homes.store == "volume" else ""
    if home_node and not had:
        home_choice.must_be(context.store, who.user, home_node)
    async with asyncio.timeout(_HOME_DEADLINE):
        if context.course.homes.directory:
            await _have_directory(context, who, node, had=had)
        elif context.course.homes.nfs:
            await _have_folder(context, who, node, had=had)
        else:
            await _have_volume(context, who, node, had=had)
    if not had:
        if context.home_projects:
            await context.home_projects.limit(who.user, node)
        home_choice.made(context.store, who.user, home_node)


async def _have_folder(context: HubContext, who: Who, node: str, *, had: bool) -> None:
    """On a file server. Of a folder that is gone the engine says so, as it cannot mount it."""
    if not had:
        for way in (store_volume(context.course, node), home_volume(context.course, who.user, node)):
            if way:
                await context.engine.ensure_volume(way)
        await _make_folder(context, who, node)
    await context.engine.ensure_volume(home_volume(context.course, who.user, node))


async def _have_volume(context: HubContext, who: Who, node: str, *, had: bool) -> None:
    volume = home_volume(context.course, who.user, node)
    if node and had:
        return  # the engine looks for it on the node, and refuses the start where it is not there
    made = await context.engine.ensure_volume(volume)
    if made and had:
        await context.engine.remove_volume(volume.name)
        raise missing(f"the volume {volume.name} is gone", who.user)


async def _have_directory(context: HubContext, who: Who, node: str, *, had: bool) -> None:
    """Of a folder that is gone the engine says so, as it cannot mount it (homes/store.py has words for that)."""
    if not had:
        await _make_folder(context, who, node)


async def _make_folder(context: HubContext, who: Who, node: str) -> None:
    course, marker = context.course, await context.homes.marker()
    helper = directory_helper(course, who.user, context.homes.image, who.uid, who.gid, node=node, marker=marker)
    result = await context.engine.run(helper, deadline=_HOME_DEADLINE)
    # In a directory the container's making makes the folder, whatever becomes of its program.
    if result.exit_code and course.homes.nfs:
        where = course.homes.store
        raise HomeMissing(f"the folder of {who.user} could not be made in {where}", where=where, evidence=result.lines)


async def _ready(context: HubContext, start: Start) -> None:
    """Wait for the server's own report. Raises ServerFailed when the container ends, or the course's time is over."""
    limit, port = context.course.server.timeout, context.course.server.port
    until = time.monotonic() + limit
    while not start.ready.done():
        left = until - time.monotonic()
        if left <= 0:
            raise ServerFailed(causes.of_timeout(limit, await last_words(context, start.containers[-1]), port))
        start.stirred.clear()
        await _first_of(start, min(LOOK_EVERY, left))
        if not start.ready.done():
            await _still_alive(context, start)


async def _first_of(start: Start, seconds: float) -> None:
    stirred = asyncio.ensure_future(start.stirred.wait())
    either: set[asyncio.Future[Any]] = {start.ready, stirred}
    try:
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stirred.cancel()


async def _still_alive(context: HubContext, start: Start) -> None:
    # The application first: where both have ended it is the one that has something to say.
    for name in reversed(start.containers):
        try:
            async with asyncio.timeout(_LOOK_DEADLINE):
                state = await context.engine.state(name)
        except (EngineUnavailable, TimeoutError):
            return  # says nothing about the server
        if state.phase not in _ALIVE:
            raise ServerFailed(await cause_of_end(context, start.user, state, start.memory))


async def cause_of_end(context: HubContext, user: str, state: ContainerState, memory: int) -> Cause:
    """Why that container of the user's server ended, with its last words; `memory` is what it might use, in bytes."""
    words, server = await last_words(context, state.name), context.course.server
    memory = memory or server.memory
    if state.name == app_name(context.course, user):
        return causes.of_app_end(state, words, memory)
    return causes.of_end(state, words, SIDECAR_LIMITS.memory if server.port else memory)
