"""nbgrader's formgrader, for grading by hand: started when staff ask for it, ended when nobody uses it.

The hub leads there as to any service of JupyterHub's (`/services/formgrader/`): whoever comes is sent to the hub's
login, and only who has the scope `access:services!service=formgrader` comes in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from jupyterhub import orm

from firstbell.coursework.formgrader import SERVICE, Inputs, container_name, formgrader_spec, shared
from firstbell.coursework.layout import Layout
from firstbell.engine.waiting import until
from firstbell.errors import CourseBusy, FirstbellError, StartFailed
from firstbell.hub.context import HubContext
from firstbell.hub.nodes.cluster import server_port
from firstbell.model.observed import ContainerState, Phase
from firstbell.plan.grader_image import grader_build

LOG = logging.getLogger("firstbell.formgrader")

FORMGRADER = "firstbell_formgrader"
"""Where the tornado settings have it; None in a course without one."""
LOOK_EVERY = 30.0
"""Seconds between two looks whether it still runs, and is used."""
IDLE = 3600.0
"""Seconds after the last request at which it ends."""
_ANSWERS_WITHIN = 60.0
_LINES = 10


class Formgrader:
    """One per hub; `app` is JupyterHub."""

    def __init__(
        self,
        app: Any,
        context: HubContext,
        layout: Layout,
        token: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._context = context
        self._layout = layout
        self._token = token
        self._name = container_name(context.course)
        self._port = server_port(context.course, context.runtime)
        self._lock = asyncio.Lock()
        self._clock = clock
        self._used, self._used_at = "", clock()

    async def open(self) -> str:
        """Its URL, once it answers there. Raises FirstbellError, TimeoutError."""
        context = self._context
        async with self._lock:
            image = grader_build(context.course).tag
            if not self._layout.gradebook.exists() or await context.engine.image(image) is None:
                raise CourseBusy("nothing has been graded yet", next_step="firstbell grade NAME")
            await asyncio.to_thread(shared, self._layout)
            node = context.cluster.nodes.own if context.cluster else ""
            inputs = Inputs(context.course, context.runtime, image, context.parts.launcher, self._token, node)
            state = await context.engine.start(formgrader_spec(inputs))
            state = state if state.address else await context.engine.state(self._name)
            await until(lambda: self._answers(state), deadline=_ANSWERS_WITHIN)
            self._leads_to(state.address)
            await self._app.proxy.add_service(self._service)
            return str(self._service.prefix)

    async def keep(self) -> None:
        """Until cancelled: find the one of an earlier hub, follow its address, end it when it is idle."""
        while True:
            try:
                async with self._lock:
                    await self.look()
            except Exception:
                LOG.exception("Looking at the formgrader failed, trying again")
                self._app.db.rollback()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """One look. Raises FirstbellError."""
        try:
            state = await self._context.engine.state(self._name)
        except FirstbellError as error:
            LOG.debug("Nobody can say how the formgrader is: %s", error)
            return
        if state.phase is Phase.RUNNING and state.address and not await self._is_idle():
            if self._leads_to(state.address):
                await asyncio.to_thread(shared, self._layout)
            return
        if state.phase is not Phase.MISSING:
            LOG.info("The formgrader is not used, or has ended: it is removed")
            await self._context.engine.stop(self._name)
        self._leads_nowhere()

    @property
    def _service(self) -> Any:
        return self._app._service_map[SERVICE]  # noqa: SLF001 - JupyterHub has no other way to one of its services

    async def _answers(self, state: ContainerState) -> bool:
        """Whether it does. Raises StartFailed where it has ended instead."""
        url = f"http://{state.address}:{self._port}{self._service.prefix}login"
        try:
            async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False):
                return True
        except aiohttp.ClientError:
            now = await self._context.engine.state(self._name)
            if now.phase is not Phase.RUNNING:
                lines = [line async for line in self._context.engine.logs(self._name, tail=_LINES)]
                raise StartFailed("the formgrader has ended at its start", evidence=lines) from None
            return False

    async def _is_idle(self) -> bool:
        """Whether the proxy has seen nobody go there for long; a route that is still to be set is new.

        What it noted is no time to be compared with another, as the time of day may jump: it changes when it is used.
        """
        routes = await self._app.proxy.get_all_routes()
        last = routes.get(self._service.proxy_spec, {}).get("data", {}).get("last_activity", "")
        if last != self._used or not last:
            self._used, self._used_at = last, self._clock()
        return self._clock() - self._used_at > IDLE

    def _leads_to(self, address: str) -> bool:
        """Routes follow what is written here; whether it is new."""
        service, db = self._service, self._app.db
        known = service.orm.server
        if known is not None and known.ip == address:
            return False
        service.orm.server = orm.Server(
            proto="http", ip=address, port=self._port, cookie_name=service.oauth_client_id, base_url=service.prefix
        )
        if known is not None:
            db.delete(known)
        db.commit()
        return True

    def _leads_nowhere(self) -> None:
        service, db = self._service, self._app.db
        if service.orm.server is not None:
            db.delete(service.orm.server)
            service.orm.server = None
            db.commit()
