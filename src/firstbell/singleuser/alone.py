"""One person's server without a hub: jupyter_server with its own login by token, started as quickly.

The machine is theirs, and so is what their configuration files say, but for two things: whoever enters shows the token
of the settings file, and the server listens where its starter looks for it. So a line copied from the web, or a
configuration that came with somebody's project, does not leave the door open by accident.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from typing import Any

from jupyter_server.auth.identity import PasswordIdentityProvider
from traitlets import default, validate
from traitlets.config import Config

from .app import QuickServerApp
from .packages import Packages
from .redact import Redact
from .settings import Alone
from .stops import EX_CONFIG, Stop

_LOCKED: dict[str, Any] = {
    "allow_unauthenticated_access": False,
    "authenticate_prometheus": True,
    "disable_check_xsrf": False,
    "certfile": "",
    "keyfile": "",
    "client_ca": "",
    "sock": "",
    "port_retries": 0,
    "open_browser": False,
    "answer_yes": True,  # Control-C of `docker run -it` means it: nobody is asked "are you sure" in a log
}
_SHORTEST_SECRET = 8  #: a token of "a", taken out of the log, would make it unreadable


class TokenIdentityProvider(PasswordIdentityProvider):  # type: ignore[misc,unused-ignore]
    """jupyter_server's own, with the token of the settings file whatever else is configured.

    A password that its owner has set lets them in too.
    """

    token_generated = False

    @default("token")
    def _token_told(self) -> str:
        app: Any = self.parent
        return str(app.settings.token)

    @validate("token")
    def _no_other_token(self, proposal: Any) -> str:
        return self._token_told()


class AloneServerApp(QuickServerApp):
    """Made by ``build``."""

    settings: Alone

    @default("allow_remote_access")
    def _remote_told(self) -> bool:
        return self.settings.remote

    def lock(self) -> None:
        told = self.settings
        values = dict(_LOCKED, ip=told.ip, port=told.port, base_url=told.base_url, allow_root=told.allow_root)
        values.update(identity_provider_class=TokenIdentityProvider, cookie_secret=_cookie_secret(told.token))
        known = {name: value for name, value in values.items() if name in self.trait_names(config=True)}
        # Under both names, because a section of the subclass would win over ServerApp's.
        self.update_config(Config({"ServerApp": known, "AloneServerApp": known}))

    def init_webapp(self) -> None:
        super().init_webapp()
        # What `ServerApp.tornado_settings` of some configuration file may have replaced.
        self.web_app.settings.update(
            cookie_secret=_cookie_secret(self.settings.token),
            xsrf_cookies=True,
            disable_check_xsrf=False,
            allow_unauthenticated_access=False,
        )

    def check(self) -> None:
        provider = self.identity_provider
        right = (
            type(provider) is TokenIdentityProvider
            and provider.token == self.settings.token
            and self.web_app.settings.get("identity_provider") is provider
            and self.base_url == self.settings.base_url
        )
        if not right:
            message = "a Jupyter configuration file replaces the login; remove it from the image or ~/.jupyter"
            raise Stop(EX_CONFIG, message)

    def default_page(self) -> str:
        """The page that its owner has configured."""
        page = str(self.config.ServerApp.get("default_url", ""))
        return page if page.startswith("/") else ""

    def running_server_info(self, kernel_count: bool = True) -> str:
        """Without addresses: those that are known in the container are not those of its machine."""
        return f"Serving the files of {self.root_dir}"


def build(settings: Alone, packages: Packages, listener: socket.socket, began: float) -> AloneServerApp:
    """The initialised server, about to listen. ``began`` is the monotonic time at which the process started."""
    AloneServerApp.tell(settings, packages, listener, began)
    app: AloneServerApp = AloneServerApp.instance()
    for handler in app.log.handlers:
        handler.addFilter(Redact(settings.token if len(settings.token) >= _SHORTEST_SECRET else ""))
    app.initialize(argv=[])
    return app


def _cookie_secret(token: str) -> bytes:
    """The key that signs this server's cookies: whoever is in stays in when the container is started anew."""
    return hmac.new(token.encode(), b"firstbell cookie secret without a hub 1", hashlib.sha256).digest()
