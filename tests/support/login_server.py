"""A user's server as far as a login needs it: the launcher's own code before a page of one line."""

from __future__ import annotations

import json
from typing import Any

from tornado import httpserver, netutil, web

from firstbell.singleuser.auth import HubIdentityProvider
from firstbell.singleuser.hub import Hub
from firstbell.singleuser.login import CallbackHandler, Login, LogoutHandler, cookie_secret
from firstbell.singleuser.settings import parse


class LoginServer:
    """Serves until stopped; counts what it asked of the hub."""

    def __init__(self, env: dict[str, str]) -> None:
        settings = parse({"env": env}, "a test")
        self.asked: list[str] = []
        hub = Hub(settings)
        hub._fetch = self._counted(hub._fetch)  # type: ignore[method-assign]
        login = Login(settings, hub)
        provider = HubIdentityProvider()
        provider.bind(login)
        routes: list[Any] = [
            (settings.prefix + "oauth_callback", CallbackHandler, {"login": login}),
            (settings.prefix + "logout", LogoutHandler, {"login": login}),
            (settings.prefix + "asked", _Asked, {"asked": self.asked}),
            (settings.prefix + ".*", _Page, {"provider": provider}),
        ]
        app = web.Application(routes, cookie_secret=cookie_secret(settings.token), login_url=settings.prefix)
        socket = netutil.bind_sockets(0, "127.0.0.1")[0]
        self._http = httpserver.HTTPServer(app, xheaders=True)
        self._http.add_sockets([socket])
        self.port: int = socket.getsockname()[1]

    def stop(self) -> None:
        self._http.stop()

    def _counted(self, fetch: Any) -> Any:
        async def counted(method: str, url: str, *arguments: Any) -> Any:
            self.asked.append(f"{method} {url.partition('/hub/')[2]}")
            return await fetch(method, url, *arguments)

        return counted


class _Page(web.RequestHandler):
    def initialize(self, provider: Any) -> None:
        self.provider = provider

    async def get(self) -> None:
        user = await self.provider.get_user(self)
        if user is None:
            self.redirect(self.get_login_url())
            return
        self.finish({"name": user.username, "scopes": sorted(user.scopes)})


class _Asked(web.RequestHandler):
    def initialize(self, asked: list[str]) -> None:
        self.asked = asked

    def get(self) -> None:
        self.finish(json.dumps(self.asked))
