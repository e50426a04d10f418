"""The Jupyter server itself: jupyter_server's ServerApp with the hub in the place of its own login."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
import sys
import time
from typing import Any, Callable, cast

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server import serverapp
from jupyter_server.serverapp import ServerApp
from tornado import httpserver, web
from tornado.httputil import HTTPServerRequest
from traitlets.config import Config

from . import __version__, lean, reports, xsrf
from .auth import HubAuthorizer, HubIdentityProvider
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
    "shutdown_no_activity_timeout": 0,  # the hub's culler decides
    "identity_provider_class": HubIdentityProvider,
    "authorizer_class": HubAuthorizer,
}


class HubServerApp(ServerApp):  # type: ignore[misc,unused-ignore]
    """One user's server. Made by ``build``."""

    settings: Settings
    packages: Packages
    listener: socket.socket
    began: float
    page_shown = False

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        super().load_config_file(*args, **kwargs)
        self._lock()

    def find_server_extensions(self) -> None:
        super().find_server_extensions()
        wanted = ("jupyterlab", "notebook") if self.settings.interface == "notebook" else ("jupyterlab",)
        for name in wanted:
            if importlib.util.find_spec(name) and (name != "notebook" or importlib.util.find_spec("notebook.app")):
                self.jpserver_extensions.setdefault(name, True)
        self.jpserver_extensions = lean.extensions(self.jpserver_extensions)

    def init_configurables(self) -> None:
        self._lock()  # extensions have had their say meanwhile
        self.no_browser_open_file = True
        own = self.config.ServerApp.get("kernel_spec_manager_class") or os.environ.get("JUPYTER_GATEWAY_URL")
        if not own and self.packages.python != sys.executable:
            self.kernel_spec_manager_class = _kernel_specs(self.packages.python)
        super().init_configurables()
        self.hub = Hub(self.settings)
        login = Login(self.settings, self.hub)
        self.provider = cast("Any", self.identity_provider)
        self.provider.bind(login)
        xsrf.install(login.xsrf_token, self.settings.prefix)

    def init_event_logger(self) -> None:
        with lean.events_later(serverapp):
            super().init_event_logger()
        # Extensions, on the other hand, are to see at once whether their schemas are accepted.
        cast("Any", self.event_logger).settled = True

    def init_webapp(self) -> None:
        self.default_url = _front_page(self)
        self.jinja_template_vars = dict(
            self.jinja_template_vars,
            logo_url=self.settings.host + self.settings.hub_prefix + "logo",
            hub_control_panel_url=self.settings.host + self.settings.hub_prefix + "home",
        )
        super().init_webapp()
        _secure(self.web_app, self.settings)
        self.web_app.settings["page_config_hook"] = self._page_config
        self.web_app.find_handler = _within(  # type: ignore[method-assign]
            self.web_app, self.settings.prefix, self.web_app.settings["default_url"], self._is_stranger
        )

    def init_httpserver(self) -> None:
        """On the socket that was bound before Jupyter was loaded: who connected meanwhile is served now."""
        _check(self)
        options = {"max_body_size": self.max_body_size, "max_buffer_size": self.max_buffer_size}
        self._http_server = httpserver.HTTPServer(self.web_app, xheaders=True, **options)
        self.io_loop.add_callback(self._serve)

    async def _serve(self) -> None:
        self.http_server.add_socket(self.listener)
        facts = {
            "jupyter_server": ServerApp.version,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "launcher": __version__,
            "start_seconds": round(time.monotonic() - self.began, 3),
        }
        lean.end()
        self.log.info("firstbell: serving %s after %.2f s", self.settings.prefix, facts["start_seconds"])
        # Held by the app: the event loop itself keeps only weak references to its tasks.
        spawn = asyncio.get_running_loop().create_task
        self.reporters = [
            spawn(reports.announce(self.hub, self.settings, facts, self.log)),
            spawn(reports.keep_reporting(self, self.hub, self.settings)),
        ]

    async def _cleanup(self) -> None:
        for task in getattr(self, "reporters", []):
            task.cancel()
        await super()._cleanup()

    def _page_config(self, handler: Any, config: dict[str, Any]) -> dict[str, Any]:
        if not self.page_shown:
            self.page_shown = True
            asyncio.get_running_loop().call_soon(self._load_the_rest)
        shown: dict[str, Any] = self.provider.page_config(handler, config)
        return shown

    def _load_the_rest(self) -> None:
        lean.page_shown()
        _ = cast("Any", self.event_logger).schemas

    def _is_stranger(self, request: HTTPServerRequest) -> bool:
        """Does this request come without anything that could say whose it is?"""
        return self.provider.login.cookie not in request.cookies and "Authorization" not in request.headers

    def _lock(self) -> None:
        values = dict(_LOCKED, ip=self.settings.ip, port=self.settings.port, base_url=self.settings.prefix)
        values.update(allow_root=self.settings.allow_root, cookie_secret=cookie_secret(self.settings.token))
        if self.settings.root_dir:
            values["root_dir"] = os.path.expanduser(self.settings.root_dir)
        known = {name: value for name, value in values.items() if name in self.trait_names(config=True)}
        # Under both names, because a section of the subclass would win over ServerApp's.
        self.update_config(Config({"ServerApp": known, "HubServerApp": known}))


def build(settings: Settings, packages: Packages, listener: socket.socket, began: float) -> HubServerApp:
    """The initialised server, about to listen. ``began`` is the monotonic time at which the process started."""
    HubServerApp.settings, HubServerApp.packages = settings, packages
    HubServerApp.listener, HubServerApp.began = listener, began
    app = HubServerApp.instance()
    for handler in app.log.handlers:
        handler.addFilter(Redact(settings.token))
    app.initialize(argv=[])
    return app


def _front_page(app: HubServerApp) -> str:
    """Path of the page behind the server's plain address, without the prefix."""
    settings = app.settings
    if settings.open and _there(settings.open, app.root_dir):
        return "/" + settings.open.lstrip("/")
    if settings.default_url:
        return settings.default_url
    points = app.extension_manager.extension_points
    order = ("notebook", "lab", "nbclassic") if settings.interface == "notebook" else ("lab", "notebook", "nbclassic")
    for name in order:
        url = getattr(getattr(points.get(name), "app", None), "default_url", "")
        if url and url != "/":
            return str(url)
    return "/"


def _there(page: str, root: str) -> bool:
    """Is the file of a page such as ``lab/tree/a.ipynb`` there? Its owner may have removed it: then no error page."""
    match = re.match(r"/?(?:(?:lab|doc)(?:/workspaces/[^/]+)?/tree|notebooks|tree|edit)/([^?#]+)", page)
    return match is None or os.path.exists(os.path.join(root, match.group(1)))


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


def _check(app: HubServerApp) -> None:
    """The last look before the door opens. Raises ``Stop`` where some configuration got past the lock."""
    tornado = app.web_app.settings
    right = (
        type(app.identity_provider) is HubIdentityProvider
        and type(app.authorizer) is HubAuthorizer
        and tornado.get("identity_provider") is app.identity_provider
        and tornado.get("authorizer") is app.authorizer
        and app.base_url == app.settings.prefix
        and not app.identity_provider.token
    )
    if not right:
        raise Stop(
            EX_CONFIG, "a Jupyter configuration file replaces the hub's login; remove it from the image or ~/.jupyter"
        )


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


def _kernel_specs(python: str) -> type:
    """Kernel specifications of which those of the image's own Python use ``python``, which sees the home's packages."""

    class KernelSpecs(KernelSpecManager):  # type: ignore[misc,unused-ignore]
        def get_kernel_spec(self, kernel_name: str) -> Any:
            spec = super().get_kernel_spec(kernel_name)
            if spec.argv and (spec.argv[0] == sys.executable or re.match(r"python(3(\.\d+)?)?$", spec.argv[0])):
                spec.argv = [python, *spec.argv[1:]]
            return spec

    return KernelSpecs
