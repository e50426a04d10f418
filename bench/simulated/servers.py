"""`python -m bench.simulated.servers ADDRESS`: all simulated servers in one process.

To the hub they are what real ones are: each reports that it is ready and when it was used, and takes part in the OAuth
hand-over, by the launcher's own code. Behind that is one small page.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router

from firstbell.model.runtime import SERVER_PORT
from firstbell.singleuser import handover, reports
from firstbell.singleuser.hub import Hub
from firstbell.singleuser.login import CallbackHandler, Login
from firstbell.singleuser.settings import Settings, parse

LOG = logging.getLogger("servers")
PAGE = "<!doctype html><title>JupyterLab</title><p>A simulated server."


class ServerPage(web.RequestHandler):
    """Any page of a server: for whom the hub says it is, else the way to the hub."""

    def initialize(self, login: Login) -> None:
        self.login = login

    def prepare(self) -> None:
        """What the hub looks for."""
        self.set_header("X-JupyterHub-Version", self.login.settings.hub_version)

    async def get(self) -> None:
        """Who is it?"""
        token = self.login.token(self)
        session = self.get_cookie("jupyterhub-session-id", "") or ""
        if token:
            handover.take(self.login, self, token, session)
        if not token or await self.login.hub.user(token, session) is None:
            self.redirect(self.login.start(self))
            return
        self.finish(PAGE)


class Server:
    """One of them: its own application, as its cookies have a key of their own."""

    def __init__(self, settings: Settings) -> None:
        self.prefix = settings.prefix
        hub = Hub(settings)
        login = Login(settings, hub)
        given = {"login": login}
        self.app = web.Application(
            [(f"{self.prefix}oauth_callback", CallbackHandler, given), (f"{self.prefix}.*", ServerPage, given)],
            cookie_secret=login._secret,  # noqa: SLF001 - as the launcher gives it to Jupyter
            log_function=lambda _: None,
        )
        # Somebody is at work all the time: the most that a server reports.
        used = SimpleNamespace(
            web_app=SimpleNamespace(last_activity=lambda: datetime.now(UTC), settings={}),
            kernel_manager=SimpleNamespace(list_kernel_ids=list),
            log=LOG,
        )
        self._tasks = [
            asyncio.create_task(reports.announce(hub, settings, {}, LOG)),
            asyncio.create_task(_reports(used, hub, settings)),
        ]

    def close(self) -> None:
        """Report no more."""
        for task in self._tasks:
            task.cancel()


async def _reports(used: Any, hub: Hub, settings: Settings) -> None:
    """As real ones report, but from any moment of the interval on, as if they had been started over a long time."""
    await asyncio.sleep(settings.activity_interval * random.random())
    await reports.keep_reporting(used, hub, settings)


class Servers(Router):
    """Finds the server that a request is for; `/-/NAME` makes one (PUT) or ends it (DELETE)."""

    def __init__(self) -> None:
        self.by_name: dict[str, Server] = {}
        self.by_user: dict[str, Server] = {}
        self._control = web.Application([(r"/-/(.+)", Control, {"servers": self})], log_function=lambda _: None)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """By the user in its path."""
        parts = request.path.split("/")
        server = self.by_user.get(parts[2]) if parts[1] == "user" else None
        return (server.app if server else self._control).find_handler(request, **kwargs)


class Control(web.RequestHandler):
    """What the engine says."""

    def initialize(self, servers: Servers) -> None:
        self.servers = servers

    def put(self, name: str) -> None:
        """Make that server."""
        server = Server(parse(json.loads(self.request.body)["settings"], name))
        self.servers.by_name[name] = self.servers.by_user[server.prefix.split("/")[2]] = server

    def delete(self, name: str) -> None:
        """End it."""
        if server := self.servers.by_name.pop(name, None):
            self.servers.by_user.pop(server.prefix.split("/")[2], None)
            server.close()


async def main(address: str) -> None:
    """Until it is ended."""
    HTTPServer(Servers()).listen(SERVER_PORT, address, backlog=1000)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
