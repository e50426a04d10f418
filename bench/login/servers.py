"""Many people's servers in one process, as far as a login needs them.

`python -m bench.login.servers SIDE ADDRESS PORT`.

Ours ask the hub with the launcher's own code; the peer's with JupyterHub's `HubOAuth`. Behind the login is a page of
one line. The hub's process tells of each server by `POST /start`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado import httputil, web

from firstbell.singleuser.auth import HubIdentityProvider
from firstbell.singleuser.hub import Hub, Refused
from firstbell.singleuser.login import CallbackHandler, Login, cookie_secret
from firstbell.singleuser.settings import Settings, parse

GREETING = "you are in"
_SERVERS: dict[str, web.Application] = {}


class OurPage(web.RequestHandler):
    """A page of one of our servers."""

    def initialize(self, provider: Any) -> None:
        self.provider = provider

    async def get(self) -> None:
        """The person's page, or the way to the hub."""
        user = await self.provider.get_user(self)
        if user is None:
            self.redirect(self.get_login_url())
            return
        self.finish(f"{GREETING}: {user.username}")


class TheirPage(HubOAuthenticated, web.RequestHandler):
    """A page of one of the peer's servers; asked without blocking the others, as each has its own process."""

    def initialize(self, hub_auth: Any) -> None:
        self.hub_auth = hub_auth

    async def prepare(self) -> None:
        await self.hub_auth.get_user(self, sync=False)

    @web.authenticated
    def get(self) -> None:
        """The person's page, or the way to the hub."""
        self.finish(f"{GREETING}: {self.current_user['name']}")


class TheirCallback(HubOAuthCallbackHandler):
    """JupyterHub's, of one server."""

    def initialize(self, hub_auth: Any) -> None:
        self.hub_auth = hub_auth


class Start(web.RequestHandler):
    """`POST /start`: a server more."""

    def initialize(self, side: str) -> None:
        self.side = side

    async def post(self) -> None:
        """204 once it serves and its hub has been told."""
        told = json.loads(self.request.body)
        if self.side == "firstbell":
            await _start_ours(parse(told, "the bench"))
        else:
            _start_theirs(told["env"])
        self.set_status(204)


async def _start_ours(settings: Settings) -> None:
    hub = Hub(settings)
    login = Login(settings, hub)
    provider = HubIdentityProvider()
    provider.bind(login)
    prefix = settings.prefix
    _SERVERS[prefix] = web.Application(
        [
            (prefix + "oauth_callback", CallbackHandler, {"login": login}),
            (prefix + ".*", OurPage, {"provider": provider}),
        ],
        cookie_secret=cookie_secret(settings.token),
        login_url=prefix,
        log_function=_quiet,
    )
    try:
        await hub.post(settings.ready_url, {})
    except Refused as refusal:
        print(f"{prefix}: {refusal}", flush=True)


def _start_theirs(env: Mapping[str, str]) -> None:
    prefix = env["JUPYTERHUB_SERVICE_PREFIX"]
    auth = HubOAuth(
        api_token=env["JUPYTERHUB_API_TOKEN"],
        api_url=env["JUPYTERHUB_API_URL"],
        base_url=prefix,
        hub_prefix=env["JUPYTERHUB_BASE_URL"] + "hub/",
        oauth_client_id=env["JUPYTERHUB_CLIENT_ID"],
        oauth_redirect_uri=env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
        access_scopes=set(json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])),
    )
    _SERVERS[prefix] = web.Application(
        [
            (prefix + "oauth_callback", TheirCallback, {"hub_auth": auth}),
            (prefix + ".*", TheirPage, {"hub_auth": auth}),
        ],
        cookie_secret=b"one for all, as nobody attacks here",
        log_function=_quiet,
    )


def _quiet(_: web.RequestHandler) -> None:
    """Logs nothing."""


class Houses(httputil.HTTPServerConnectionDelegate):
    """Each request to the server whose prefix it has."""

    def __init__(self, front: web.Application) -> None:
        self._front = front

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> Any:
        """The delegate that learns from the first line whose the request is."""
        return _Door(self._front, server_conn, request_conn)


class _Door(httputil.HTTPMessageDelegate):
    def __init__(self, front: web.Application, server_conn: object, request_conn: httputil.HTTPConnection) -> None:
        self._front, self._ways = front, (server_conn, request_conn)
        self._inner: Any = None

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        parts = urlsplit(start_line.path).path.split("/")
        prefix = "/".join(parts[: parts.index("user") + 2]) + "/" if "user" in parts else ""
        self._inner = _SERVERS.get(prefix, self._front).start_request(*self._ways)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner is not None:
            self._inner.on_connection_close()


async def main(side: str, address: str, port: int) -> None:
    """Until the process is ended."""
    from tornado.httpserver import HTTPServer

    front = web.Application([("/start", Start, {"side": side}), ("/.*", web.ErrorHandler, {"status_code": 404})])
    front.settings["log_function"] = _quiet
    HTTPServer(Houses(front), xheaders=True).listen(port, address)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
