"""Keeping the proxy's routes what they should be: after its restart, and against whatever else is written there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientResponseError
from jupyterhub.httpclient import fetch
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.utils import url_path_join

LOG = logging.getLogger("firstbell.routes")

PROBE_EVERY = 1.0
"""Seconds between two cheap looks whether the proxy still has the hub's route: it is back within two of them."""
CHECK_EVERY = 10.0
"""Seconds between two full comparisons."""
PROBE_DEADLINE = 3.0
REQUEST_DEADLINE = 35.0
"""JupyterHub tries a request again for 30 seconds, but waits for one answer without end."""


class WatchedProxy(ConfigurableHTTPProxy):
    """JupyterHub's client of the proxy, which also sees the routes that are not JupyterHub's.

    JupyterHub 6.1 leaves out routes without its mark, so a planted `/user/ada/lab` would stay and serve Ada a
    stranger's pages. Nobody but the hub has routes to set here: all others are stale.
    """

    async def api_request(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """As JupyterHub's, with an end. Raises TimeoutError."""
        async with asyncio.timeout(REQUEST_DEADLINE):
            return await super().api_request(path, method, body)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """All routes by routespec, without the one that the proxy has from its own command line."""
        answer = await (await self.api_request("")).json()
        routes = {}
        for path, facts in answer.items():
            spec, target = self._routespec_from_chp_path(path), facts.get("target", "")
            if spec == "/" and target == self.hub.host and "jupyterhub" not in facts:
                continue
            data = {name: facts[name] for name in facts if name not in {"target", "jupyterhub"}}
            routes[spec] = {"routespec": spec, "target": target, "data": data}
        return routes

    async def check_routes(self, user_dict: Any, service_dict: Any, routes: Any = None) -> Any:
        """As JupyterHub's, but servers on nodes that are away have no route: the hub tells their people the truth."""
        return await super().check_routes(self._reachable(user_dict), service_dict, routes)

    def _reachable(self, users: Any) -> Any:
        context = getattr(self.app, "context", None)
        if context is None or context.cluster is None or not context.cluster.nodes.away():
            return users
        return _Reachable(users, context.cluster.nodes.is_away)

    async def has_hub_route(self) -> bool | None:
        """Whether the route to the hub's pages is there; None if the proxy does not say. One small request."""
        url = url_path_join(self.api_url, "api/routes", self._routespec_to_chp_path(self.hub.base_url))
        try:
            async with asyncio.timeout(PROBE_DEADLINE):
                answer = await fetch(url, headers={"Authorization": f"token {self.auth_token}"})
                facts = await answer.json()
        except ClientResponseError as error:
            return False if error.status == 404 else None
        except (ClientError, OSError, TimeoutError, ValueError):
            return None
        return bool(facts.get("target") == self.hub.host)


@dataclass(frozen=True, slots=True)
class _Reachable:
    """The users as they are when the routes have come, not when they were asked for: some enter in between."""

    users: Mapping[Any, Any]
    is_away: Callable[[str], bool]

    def values(self) -> Iterator[_Seen]:
        """Each with those servers that can be reached."""
        for user in self.users.values():
            there = {name: spawner for name, spawner in user.spawners.items() if not self.is_away(spawner.node)}
            yield _Seen(user.name, there)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A user with those servers that can be reached, as far as JupyterHub's comparison of routes looks at them."""

    name: str
    spawners: dict[str, Any]


class RouteWatch:
    """Compares the proxy with the hub: at once after the proxy's restart, else every few seconds."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._next_check = 0.0
        self._away = False

    async def run(self) -> None:
        """Until cancelled. No failure ends it."""
        while True:
            try:
                await self.look()
            except Exception:
                LOG.exception("Looking at the proxy failed, trying again")
            await asyncio.sleep(PROBE_EVERY)

    def hurry(self) -> None:
        """Compare at the next look."""
        self._next_check = 0.0

    async def look(self) -> None:
        """One look, with a comparison if it is due or needed."""
        there = await self._app.proxy.has_hub_route()
        self._tell(there)
        if there is None:
            return
        if not there:
            LOG.warning("The proxy has lost its routes; setting them again")
        elif time.monotonic() < self._next_check:
            return
        try:
            await self._app.proxy.check_routes(self._app.users, self._app._service_map)  # noqa: SLF001 - as the app does
        except Exception as error:
            LOG.warning("The routes could not be compared, trying again: %s", error)
        else:
            self._next_check = time.monotonic() + CHECK_EVERY

    def _tell(self, there: bool | None) -> None:
        away = there is None
        if away and not self._away:
            LOG.warning("The proxy does not answer; it is asked every second")
        if self._away and not away:
            LOG.info("The proxy answers again")
        self._away = away
