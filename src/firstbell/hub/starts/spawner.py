"""JupyterHub's face of our servers: what it asks of a spawner, answered from the engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from jupyterhub import __version__ as hub_version
from jupyterhub.spawner import Spawner, SpawnException
from jupyterhub.utils import url_path_join
from tornado.web import HTTPError

from firstbell.errors import EngineUnavailable
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.memory import limits
from firstbell.hub.nodes.cluster import server_port
from firstbell.hub.pages.shared import room_full
from firstbell.hub.records.endings import STOPPED, UNREACHED, UNSEEN, Ending, ends_by
from firstbell.hub.starts import starting, tokens
from firstbell.hub.starts.asked import asked
from firstbell.hub.starts.causes import NO_ROOM, Cause
from firstbell.hub.starts.log import Outcome
from firstbell.hub.starts.queue import GivenUp
from firstbell.hub.starts.ready import READY_PATH
from firstbell.hub.starts.stages import Stages
from firstbell.hub.starts.starting import ServerFailed, Times, Wanted
from firstbell.model import names
from firstbell.model.observed import ContainerState, Phase
from firstbell.plan.server import container_names

LOG = logging.getLogger("firstbell.spawner")

NO_OPTIONS = "what a server is made of is for the course to say: no options can be chosen"
_NOT_IN_ENV = ("JPY_API_TOKEN", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_ADMIN_ACCESS")
_STOP_GRACE = 10
_POLL_DEADLINE = 10.0
_LOST_PATIENCE = 6.0
"""Seconds for a manager to forget a server whose node is away."""
_GONE = {Phase.EXITED, Phase.MISSING}


class LeftWaiting(SpawnException):
    """What a start ends with that was given up while it waited for its turn."""

    def __init__(self) -> None:
        super().__init__("The page was left while the start waited for its turn.", reason="left", status_code=503)


class FirstbellSpawner(Spawner):
    """One user's server. It has no settings of its own: the course says everything."""

    _stages: Stages | None = None
    _started: tuple[str, ...] = ()
    """The containers that run; none while none does. Saved, so that a cut start is told from a finished one."""
    token_id = 0
    """The running server's token, by its number in the database. Saved: the token itself is not."""
    node = ""
    """The node of a cluster on which the server runs. Saved."""
    memory = 0
    """Bytes that the running server may use; 0 is what everybody's may. Saved."""
    is_given_up = False
    """Whether the server counts as ended, though its node does not say so: its lease is over."""
    ending: Ending | None = None
    """Why it ends, as soon as somebody knows."""
    _is_up = False
    """Whether its end is one for the record."""
    _engine_was_away = False
    _is_spawning = False

    @property
    def _spawn_pending(self) -> bool:
        # JupyterHub calls a failed start "stopping" while it is cleared away: whoever looked in that instant saw a
        # server stop, and an error instead of the cause. A start is pending until its outcome is known.
        future = self._spawn_future
        return self._is_spawning or (future is not None and not future.done())

    @_spawn_pending.setter
    def _spawn_pending(self, value: bool) -> None:
        self._is_spawning = value

    @property
    def gave_up(self) -> bool:
        """Whether the last start was given up because its page had been left: no failure, but nothing that runs."""
        future = self._spawn_future
        ended = not self.active and future is not None and future.done() and not future.cancelled()
        return ended and isinstance(future.exception(), LeftWaiting)

    @property
    def _failed(self) -> Any:
        return None if self.gave_up else super()._failed

    @property
    def context(self) -> HubContext:
        """What the parts of the hub share."""
        found: HubContext = self.user.settings[SETTING]
        return found

    @property
    def containers(self) -> tuple[str, ...]:
        """The names of the user's containers, whether they exist or not: Jupyter's, or side-car and application.

        Those of a server that runs are what it was started as, though the course may say otherwise by now.
        """
        return self._started or container_names(self.context.course, self.user.name)

    @property
    def container(self) -> str:
        """The name of the one that is reached."""
        return self.containers[0]

    @property
    def was_started(self) -> bool:
        """Whether the database knows of a start that came to its end."""
        return bool(self._started)

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the container of a hub before this one."""
        super().load_state(state)
        # What is not of this course is never this hub's, whatever its database says: it may be a copy of another's.
        self._started = tuple(
            name for name in state.get("containers", ()) if names.is_of(self.context.course.name, name)
        )
        self._is_up = bool(self._started)
        self.token_id = state.get("token", 0)
        self.node = state.get("node", "")
        self.memory = state.get("memory", 0)

    def get_state(self) -> dict[str, Any]:
        """What a later hub needs."""
        state: dict[str, Any] = super().get_state()
        if not self._started:
            return state
        known = {"containers": list(self._started), "token": self.token_id}
        more = {"memory": self.memory, "node": self.node}
        return state | known | {name: value for name, value in more.items() if value}

    def clear_state(self) -> None:
        """Nothing runs any more."""
        super().clear_state()
        self._started, self.token_id, self.node, self.is_given_up = (), 0, "", False
        self.memory = 0

    def found(self, token: str, node: str) -> None:
        """Its containers run, with that token, on that node: started by a hub that had another database."""
        self.api_token, self.node = token, node
        self._started, self.token_id = self.containers, tokens.token_id(self.user, token)
        self._is_up = True

    def options_from_query(self, query_data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - JupyterHub's signature
        """A link may carry anything; none of it changes the server."""
        return {}

    def run_options_from_form(self, form_data: dict[str, Any]) -> dict[str, Any]:
        """Refuse the options of a hand-made form: there is no such form."""
        if set(form_data) - {"_xsrf"}:
            raise HTTPError(400, NO_OPTIONS)
        return {}

    def get_env(self) -> dict[str, str]:
        """JupyterHub's variables for the launcher, without the deprecated and the misleading ones."""
        env: dict[str, str] = super().get_env()
        return {name: value for name, value in env.items() if name not in _NOT_IN_ENV}

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The start in words, for the page that waits."""
        if self._stages is not None:
            async for event in self._stages.events():
                yield event

    def stage(self) -> dict[str, Any]:
        """The same at this moment, for the page as it is at first."""
        return self._stages.event() if self._stages is not None else {}

    def stood_still(self) -> float:
        """Seconds for which the start has got no further; 0 while none is known."""
        return self._stages.still() if self._stages is not None else 0.0

    async def start(self) -> str:
        """The URL of the started server. Raises SpawnException with the cause."""
        context, user = self.context, self.user.name
        bell = context.bells.ordered(user)
        if bell is None and not context.room.admit(user):
            raise room_full()
        context.notebooks.forget(user)
        self.ending = None
        context.uses.forget(user)
        context.fulls.forget(user)
        self.memory = self.mem_limit = limits.memory_of(context.store, context.course, user)
        self._stages, times = Stages(user, context.queue), Times()
        origin = asked(self.handler, self.user)
        wanted = Wanted(
            user=user,
            token=self.api_token,
            hub_env=self.get_env(),
            ready_url=url_path_join(self.hub.url, READY_PATH),
            hub_version=hub_version,
            lane=origin.lane,
            kernel_at_start=bell is not None and bell.kernels,
            memory=self.memory,
        )
        try:
            with context.presence.waits(user) if origin.clicked else contextlib.nullcontext():
                started = await starting.start_server(context, wanted, self._stages, times)
        except GivenUp:
            LOG.info("The start of %s was given up: its page was left while it waited (%s)", user, times)
            context.start_log.note(origin.lane, Outcome.GIVEN_UP, times.done)
            context.usage.start(user, origin.who, Outcome.GIVEN_UP, "its page was left while it waited")
            raise LeftWaiting from None
        except ServerFailed as failed:
            outcome = Outcome.NO_ROOM if failed.cause.reason == NO_ROOM else Outcome.FAILED
            context.bells.has_failed(user, failed.cause.text, counts=outcome is Outcome.FAILED)
            context.start_log.note(origin.lane, outcome, times.done, failed.cause.reason)
            context.usage.start(user, origin.who, failed.cause.reason, failed.cause.what)
            LOG.error(  # noqa: TRY400 - the cause is the message
                "The server of %s did not start (%s): %s", user, times, failed.cause.text
            )
            raise as_spawn_exception(failed.cause) from failed
        LOG.info("The server of %s is up: %s", user, times)
        context.bells.is_ready(user)
        context.start_log.note(origin.lane, Outcome.READY, times.done)
        context.usage.start(user, origin.who, Outcome.READY, f"{sum(times.done):.1f} s")
        self._is_up = True
        self._started, self.token_id = self.containers, tokens.token_id(self.user, self.api_token)
        self.node = started.node
        return f"http://{started.address}:{server_port(context.course, context.runtime)}"

    async def poll(self) -> int | None:
        """None while the server runs, is frozen, or cannot be asked about; else its exit code. Never raises."""
        if self.is_given_up:
            return 1
        try:
            async with asyncio.timeout(_POLL_DEADLINE):
                states = [await self.context.engine.state(name) for name in self.containers]
        except Exception as error:
            self._engine_away(error)
            return None
        self._engine_was_away = False
        return exit_status(ended_one(states))

    async def stop(self, now: bool = False) -> None:
        """End the containers: kernels get some seconds to end by themselves, unless `now`."""
        ends_by(self, UNREACHED if self._spawn_pending else STOPPED)
        try:
            await starting.end(self.context, *self.containers, grace=0 if now else _STOP_GRACE)
        except EngineUnavailable:
            if not self.is_given_up:
                raise
        self._started = ()

    async def run_post_stop_hook(self) -> None:
        """Called by JupyterHub after every end: remove what a dead server leaves, containers and tokens."""
        if self._is_up:
            self._is_up = False
            self.context.usage.end(self.user.name, self.ending or UNSEEN)
            self.ending = None
        with contextlib.suppress(TimeoutError):
            # A node that is away would be waited for; nobody has to, where its server has ended by itself.
            async with asyncio.timeout(_LOST_PATIENCE if self.is_given_up else None):
                await starting.discard(self.context, *self.containers)
        tokens.forget_server_tokens(self.user)

    async def get_url(self) -> str:
        """Where the server is now; a restarted daemon gives out new addresses."""
        known: str = self.server.url
        try:
            state = await self.context.engine.state(self.container)
        except EngineUnavailable:
            return known
        return url_of(state.address, known)

    def _engine_away(self, error: Exception) -> None:
        if not self._engine_was_away:
            LOG.warning("Nobody can say how the server of %s is, so it counts as running: %s", self.user.name, error)
        self._engine_was_away = True


def exit_status(state: ContainerState) -> int | None:
    """What JupyterHub's `poll` means by it: a number only for a server that certainly does not run."""
    if state.phase not in _GONE:
        return None
    return state.exit_code if state.exit_code is not None else 1


def ended_one(states: Sequence[ContainerState]) -> ContainerState:
    """Of a server's containers the one that certainly does not run, else the one that is reached: all have to run."""
    return next((state for state in states if exit_status(state) is not None), states[0])


def url_of(address: str, known: str) -> str:
    """The server's URL after its present address, where it has one."""
    if not address:
        return known
    parts = urlsplit(known)
    return f"http://{address}:{parts.port}{parts.path}"


def as_spawn_exception(cause: Cause) -> SpawnException:
    """The cause as JupyterHub shows it, on the waiting page and on the page after it."""
    error = SpawnException(
        cause.what, reason=cause.reason, message_html=cause.markup, log_message=cause.text, status_code=500
    )
    error.jupyterhub_message = cause.text
    error.jupyterhub_html_message = cause.markup
    return error
