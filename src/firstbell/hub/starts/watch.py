"""Keeping the hub's picture of servers true: their ends are noticed at once, and what nobody knows is removed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

from jupyterhub import orm

from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.hub.context import HubContext
from firstbell.hub.people.notes import tell_of_hub
from firstbell.hub.records.endings import ends_by, of_cause, unseen
from firstbell.hub.starts import causes, starting, tokens
from firstbell.hub.starts.recovery import Recovery
from firstbell.hub.starts.spawner import as_spawn_exception, ended_one, exit_status, url_of
from firstbell.hub.starts.standby_care import forget_old
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Event, Observed, Phase
from firstbell.plan.home import HELPER_SUFFIX, seats_with_homes

LOG = logging.getLogger("firstbell.watch")

LOOK_EVERY = 60.0
"""Seconds between two looks at everything, for what no event told."""
_AGAIN = 2.0
"""Seconds until a daemon that went away is asked again."""
_OBSERVE_DEADLINE = 15.0
_START_DEADLINE = 4.0
"""Seconds for which the hub's own start waits for the engine; people wait with it."""
_BLAMED = 60.0
"""Seconds after a node's return within which its absence is why a server there has ended."""
_WITH_ITS_MACHINE = (
    "Your Jupyter ended while the course itself did not run, as when its machine or Docker starts anew. Your files are "
    "kept as they were last saved."
)
_ENDS = {"die", "destroy", "oom"}


class ContainerWatch:
    """The tasks beside the hub that look at its servers' containers."""

    def __init__(self, app: Any, context: HubContext, recovery: Recovery) -> None:
        self._app = app
        self._context = context
        self._recovery = recovery

    async def listen(self) -> None:
        """Follow the engine's events until cancelled; look at everything whenever some may have been missed."""
        while True:
            try:
                async for event in self._context.engine.events(self._context.course.name):
                    await self._heard(event)
            except EngineUnavailable as error:
                LOG.warning("The Docker Engine's events are not to be had, trying again: %s", error.what)
            except Exception:
                LOG.exception("Following the engine's events failed, trying again")
            await asyncio.sleep(_AGAIN)
            await self.look_safely()

    async def keep_looking(self) -> None:
        """Look at everything now and then, until cancelled."""
        while True:
            await self.look_safely()
            await asyncio.sleep(LOOK_EVERY)

    async def look_safely(self) -> None:
        """Look at everything now. No failure leaves it."""
        try:
            await self.look()
        except EngineUnavailable as error:
            LOG.warning("Nobody can say how the servers are; none is touched: %s", error.what)
        except Exception:
            LOG.exception("Looking at the servers failed, trying again")
            self._app.db.rollback()

    async def _heard(self, event: Event) -> None:
        if event.action not in _ENDS:
            return
        self._context.starts.stir(event.name)
        spawner = self._known().get(event.name)
        if event.action == "oom":
            limit = ((spawner and spawner.memory) or self._context.course.server.memory) // 1024**2
            LOG.warning("The kernel ended a process in %s: its server may use %s MiB", event.name, limit)
        if spawner is not None and spawner.ready and event.action != "oom":
            await self._settle(spawner, await self._context.engine.state(event.name))

    async def look(self) -> None:
        """Compare all containers of the course with the hub. Raises EngineUnavailable before anything is touched."""
        async with asyncio.timeout(_OBSERVE_DEADLINE):
            observed = await self._context.engine.observe(self._context.course.name)
        cluster = self._context.cluster
        if cluster and cluster.homes:
            cluster.homes.learn(observed)
        for spawner in await self._recovery.once(self._app, self._context, observed):
            await _adopt(self._app, spawner, observed)
        known = self._known()
        for name, spawner in known.items():
            if spawner.ready:
                await self._settle(spawner, observed.container(name))
        for state in strangers(observed, set(known) | self._expected()):
            if cluster and cluster.nodes.is_away(state.node):
                continue  # it cannot be ended now; its node's return brings the next look
            if state.name not in set(self._known()) | self._expected():
                LOG.warning(
                    "Removing %s (%s): no server of this hub; the files of %s stay", state.name, state.phase, state.user
                )
                await starting.discard(self._context, state.name, grace=10)

    async def _settle(self, spawner: Any, state: ContainerState) -> None:
        """Bring the hub's idea of a running server up to what its container is."""
        status = exit_status(state)
        if status is None:
            if state.name == spawner.container:
                self._correct_address(spawner, state)
            return
        # The snapshot may be older than a restart that has happened since.
        if exit_status(now := await self._context.engine.state(state.name)) is None or not spawner.ready:
            return
        cluster = self._context.cluster
        if cluster and cluster.nodes.is_just_back(spawner.node, _BLAMED):
            cause, status = causes.of_returned_node(spawner.node), status or 1
        else:
            cause = await starting.cause_of_end(self._context, spawner.user.name, now, spawner.memory)
        LOG.warning("The server of %s ended: %s", spawner.user.name, cause.text)
        ends_by(spawner, of_cause(cause))
        if status:
            spawner._spawn_future = failed(as_spawn_exception(cause))  # noqa: SLF001 - where JupyterHub's pages look
        await spawner.poll_and_notify()

    def _correct_address(self, spawner: Any, state: ContainerState) -> None:
        url = url_of(state.address, spawner.server.url)
        if url != spawner.server.url:
            LOG.warning("The server of %s has moved to %s", spawner.user.name, state.address)
            spawner.server.ip = urlsplit(url).hostname
            self._app.db.commit()

    def _expected(self) -> frozenset[str]:
        """Names of containers that are somebody's soon."""
        return self._context.starts.containers() | self._context.standbys.containers()

    def _known(self) -> dict[str, Any]:
        """The active spawners by their containers' names, the application's before that of its side-car."""
        return {
            name: spawner
            for user in self._app.users.values()
            for spawner in user.spawners.values()
            if spawner.active
            for name in reversed(spawner.containers)
        }


def nodes_of_servers(users: Any) -> dict[str, str]:
    """The node of each server that runs, by user, of JupyterHub's `UserDict`."""
    return {user.name: spawner.node for user in users.values() for spawner in user.spawners.values() if spawner.ready}


def running_containers(users: Any) -> list[str]:
    """The containers of all servers that are ready, of JupyterHub's `UserDict`."""
    return [
        name
        for user in users.values()
        for spawner in user.spawners.values()
        if spawner.ready
        for name in spawner.containers
    ]


def strangers(observed: Observed, known: set[str]) -> list[ContainerState]:
    """Server containers that the hub does not know, and what is left of helpers that made homes."""
    roles = (Role.APP, Role.SERVER)
    servers = [c for role in roles for c in observed.of_role(role.value)]
    servers = [c for c in (*servers, *observed.standbys) if c.name not in known]
    helpers = [c for c in observed.of_role(Role.HELPER.value) if c.name.endswith(HELPER_SUFFIX)]
    return servers + [c for c in helpers if c.phase is not Phase.RUNNING]


def failed(error: Exception) -> asyncio.Future[None]:
    """What JupyterHub's pages take for a start that ended with that error."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    future.exception()  # retrieved: nobody has to await it
    return future


async def adopt(app: Any, context: HubContext, recovery: Recovery) -> int:
    """At the hub's start: find the servers of the hub before it; returns how many there were to find.

    Replaces JupyterHub's way of asking each one over HTTP and stopping those that do not answer in time: a server
    that computes, or is frozen, is alive. Without an answer of the engine nobody is taken for dead.
    """
    spawners = _spawners_with_a_server(app)
    await forget_old(context)
    observed = await _observed(context)
    if observed is not None:
        spawners += await recovery.once(app, context, observed)
        context.usage.found(spawner.user.name for spawner in spawners)
    await asyncio.gather(*(_adopt(app, spawner, observed) for spawner in spawners))
    _forget_cut_starts(app)
    if observed is not None:
        await _keep_seats_apart(context, observed)
    return len(spawners)


async def _keep_seats_apart(context: HubContext, observed: Observed) -> None:
    """Should our database be lost while homes stay, a new visitor must not get the number of somebody with files.

    Raises FirstbellError where that cannot be made sure: the hub is then started again until it can.
    """
    folders: list[str] = []
    if context.course.homes.is_shared and context.course.access.login == "seminar":
        try:
            folders = await context.homes.folders()
        except FirstbellError as error:
            if not context.store.last_seat():
                raise
            LOG.warning("The homes cannot be listed now; seats are numbered by the hub's own record: %s", error)
    context.store.skip_seats(seats_with_homes(context.course, observed, folders))


def _spawners_with_a_server(app: Any) -> list[Any]:
    found = []
    for row in app.db.query(orm.Spawner).filter(orm.Spawner.server != None):  # noqa: E711 - SQLAlchemy's way to say it
        spawner = app.users[row.user].spawners[row.name]
        spawner._check_pending = True  # noqa: SLF001 - nobody may start or stop it meanwhile
        found.append(spawner)
    return found


async def _observed(context: HubContext) -> Observed | None:
    try:
        async with asyncio.timeout(_START_DEADLINE):
            return await context.engine.observe(context.course.name)
    except (EngineUnavailable, TimeoutError) as error:
        LOG.warning("The Docker Engine does not answer; all servers count as running: %s", error)
        return None


def _state_of(observed: Observed | None, name: str) -> ContainerState:
    return observed.container(name) if observed else ContainerState(name, Phase.UNKNOWN)


async def _adopt(app: Any, spawner: Any, observed: Observed | None) -> None:
    user = spawner.user
    states = [_state_of(observed, name) for name in spawner.containers]
    if spawner.was_started and exit_status(ended_one(states)) is None:
        state = states[0]
        spawner.server.ip = urlsplit(url_of(state.address, spawner.server.url)).hostname
        spawner.node = spawner.node or state.node
        app.db.commit()

        async def ended() -> None:
            await app.proxy.delete_user(user, spawner.name)
            await user.stop(spawner.name)

        spawner.add_poll_callback(ended)
        spawner._check_pending = False  # noqa: SLF001
        return
    why = "ended while no hub was there" if spawner.was_started else "was starting when the hub ended"
    LOG.warning("The server of %s %s; it is cleared away", user.name, why)
    ends_by(spawner, unseen(ended_one(states), spawner.memory or spawner.context.course.server.memory))
    if spawner.was_started and states[0].phase is Phase.EXITED:
        tell_of_hub(spawner.context, user.name, _WITH_ITS_MACHINE)
    try:
        await user.stop(spawner.name)
    except Exception:
        LOG.exception("The server of %s could not be cleared away; it is tried again", user.name)


def _forget_cut_starts(app: Any) -> None:
    """Remove rows of starts that a killed hub left: tokens of servers that do not run, addresses of nobody."""
    spawners = [spawner for user in app.users.values() for spawner in user.spawners.values()]
    running = {spawner.user.orm_user.id for spawner in spawners if spawner.server}
    for user_id in tokens.owners_of_server_tokens(app.db) - running:
        tokens.forget_server_tokens(app.users[user_id])
    used = {row.server_id for row in app.db.query(orm.Spawner)} | {row._server_id for row in app.db.query(orm.Service)}  # noqa: SLF001
    for server in app.db.query(orm.Server).filter(orm.Server.id.notin_(used - {None})):
        app.db.delete(server)
    app.db.commit()
