"""The server of a hub's user: jupyter_server's ServerApp with the hub in the place of its own login."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any, Callable, cast

from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from tornado import web
from tornado.httputil import HTTPServerRequest
from traitlets.config import Config

from . import (
    __version__,
    companion_page,
    companion_talk,
    memory_watch,
    remembered,
    reports,
    restarts,
    static_files,
    used,
    xsrf,
)
from .app import QuickServerApp
from .auth import HubAuthorizer, HubIdentityProvider
from .home_room import Quota
from .home_watch import HomeWatch
from .hub import Hub
from .login import Login, cookie_secret
from .packages import Packages
from .redact import Redact
from .settings import Settings
from .stops import EX_CONFIG, Stop

# Where a shared project, or a line copied from the web, could open the server to others. Anything here wins over every
# configuration file, of the image and of the home, and is looked at once more before the server answers.
#
# How far this goes: it guards against accidents. ~/.jupyter/jupyter_server_config.py is a program that runs in this
# process with its owner's rights, and so is a server extension; who writes one on purpose can undo anything here, as
# they could start a second server beside it. What they can open is their own server only: the hub's token of another
# user is never here, and the network lets nobody but the proxy in.
_LOCKED: dict[str, Any] = {
    "allow_origin": "",
    "allow_origin_pat": "",
    "allow_credentials": False,
    "allow_remote_access": True,  # the Host header is the hub's public name
    "allow_unauthenticated_access": False,
    "authenticate_prometheus": True,
    "disable_check_xsrf": False,
    "certfile": "",
    "keyfile": "",
    "client_ca": "",
    "sock": "",
    "port_retries": 0,
    "open_browser": False,
    "quit_button": False,  # the hub's "Stop My Server" is the one that works
    "answer_yes": True,
    "trust_xheaders": True,
    "autoreload": False,
    "shutdown_no_activity_timeout": 0,  # the hub decides (plan/idle.py)
    "identity_provider_class": HubIdentityProvider,
    "authorizer_class": HubAuthorizer,
}


class HubServerApp(QuickServerApp):
    """One user's server behind a hub. Made by ``build``."""

    settings: Settings

    def init_configurables(self) -> None:
        super().init_configurables()
        self.hub = Hub(self.settings)
        quota = Quota(self.settings.home_size, self.settings.home_files)
        self.home = HomeWatch(os.path.expanduser("~"), quota, self.log)
        login = Login(self.settings, self.hub)
        self.provider = cast("Any", self.identity_provider)
        self.provider.bind(login)
        xsrf.install(login.xsrf_token, self.settings.prefix)

    def init_webapp(self) -> None:
        hub = self.settings.host + self.settings.hub_prefix
        pages = {"logo_url": hub + "logo", "hub_control_panel_url": hub + "home"}
        self.jinja_template_vars = dict(self.jinja_template_vars, **pages)
        super().init_webapp()
        self.watch = used.Watch()
        used.heed_pages(self.watch, APIHandler)
        restarts.heed(self.kernel_manager, self.log)
        companion_talk.install(self.web_app, self.hub, self.settings, self.watch, self.home)
        _secure(self.web_app, self.settings)
        self.web_app.find_handler = _within(  # type: ignore[method-assign]
            self.web_app, self.settings.prefix, self.web_app.settings["default_url"], self._is_stranger
        )

    def default_page(self) -> str:
        return self.settings.default_url

    def serving(self, seconds: float) -> None:
        facts = {
            "jupyter_server": ServerApp.version,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "launcher": __version__,
            "start_seconds": seconds,
        }
        # Held by the app: the event loop itself keeps only weak references to its tasks.
        spawn = asyncio.get_running_loop().create_task
        self.reporters = [
            spawn(reports.announce(self.hub, self.settings, facts, self.log)),
            spawn(reports.keep_reporting(self, self.hub, self.settings)),
            spawn(memory_watch.MemoryWatch(self).keep_looking(self.hub, self.settings)),
            spawn(self.home.keep_looking()),
            spawn(reports.keep_telling_use(self, self.hub, self.settings, self.watch, self.home)),
        ]

    def has_room(self) -> bool:
        return self.home.has_room()

    async def _cleanup(self) -> None:
        for task in getattr(self, "reporters", []):
            task.cancel()
        await super()._cleanup()

    def page_config(self, handler: Any, config: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = self.provider.page_config(handler, super().page_config(handler, config))
        remembered.unasked(shown)
        static_files.point(shown, self.settings.static, self.settings.prefix)
        companion_page.add(shown, self.settings.static, self.settings.prefix)
        return shown

    def _is_stranger(self, request: HTTPServerRequest) -> bool:
        """Does this request come without anything that could say whose it is?"""
        return self.provider.login.cookie not in request.cookies and "Authorization" not in request.headers

    def lock(self) -> None:
        values = dict(_LOCKED, ip=self.settings.ip, port=self.settings.port, base_url=self.settings.prefix)
        values.update(allow_root=self.settings.allow_root, cookie_secret=cookie_secret(self.settings.token))
        if self.settings.root_dir:
            values["root_dir"] = os.path.expanduser(self.settings.root_dir)
        known = {name: value for name, value in values.items() if name in self.trait_names(config=True)}
        # Under both names, because a section of the subclass would win over ServerApp's.
        self.update_config(Config({"ServerApp": known, "HubServerApp": known}))

    def check(self) -> None:
        tornado = self.web_app.settings
        right = (
            type(self.identity_provider) is HubIdentityProvider
            and type(self.authorizer) is HubAuthorizer
            and tornado.get("identity_provider") is self.identity_provider
            and tornado.get("authorizer") is self.authorizer
            and self.base_url == self.settings.prefix
            and not self.identity_provider.token
        )
        if not right:
            message = "a Jupyter configuration file replaces the hub's login; remove it from the image or ~/.jupyter"
            raise Stop(EX_CONFIG, message)


def build(settings: Settings, packages: Packages, listener: socket.socket, began: float) -> HubServerApp:
    """The initialised server, about to listen. ``began`` is the monotonic time at which the process started."""
    HubServerApp.tell(settings, packages, listener, began)
    app = HubServerApp.instance()
    for handler in app.log.handlers:
        handler.addFilter(Redact(settings.token))
    app.initialize(argv=[])
    return app


def _secure(app: web.Application, settings: Settings) -> None:
    """Puts back what ``ServerApp.tornado_settings`` of some configuration file may have replaced."""
    app.settings.update(
        cookie_secret=cookie_secret(settings.token),
        xsrf_cookies=True,
        disable_check_xsrf=False,
        allow_unauthenticated_access=False,
        allow_origin="",
        allow_credentials=False,
        token="",
        xsrf_cookie_kwargs={"path": settings.prefix, "samesite": "Lax"},
    )
    app.settings.pop("allow_origin_pat", None)
    headers = dict(app.settings.get("headers") or {})
    for name in list(headers):
        if name.lower().startswith("access-control-"):
            del headers[name]
    if settings.hub_version:
        headers["X-JupyterHub-Version"] = settings.hub_version
    # All servers share an origin: a page of another one must not frame ours and click in it.
    headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
    app.settings["headers"] = headers


def _within(
    app: web.Application, prefix: str, front: str, is_stranger: Callable[[HTTPServerRequest], bool]
) -> Callable[..., Any]:
    """``app.find_handler`` for paths of this server only: another user's path, should a proxy send one, gets 404."""
    find = app.find_handler

    def find_handler(request: HTTPServerRequest, **kwargs: Any) -> Any:
        if request.method == "GET" and request.uri == prefix and is_stranger(request):
            # Would be sent to the front page, and from there to the hub to log in: one redirect instead of two.
            request.uri, request.path = front, front.partition("?")[0]
        if request.path.startswith(prefix):
            return find(request, **kwargs)
        if request.path == prefix.rstrip("/"):
            return app.get_handler_delegate(request, web.RedirectHandler, {"url": prefix, "permanent": False})
        return app.get_handler_delegate(request, web.ErrorHandler, {"status_code": 404})

    return find_handler
