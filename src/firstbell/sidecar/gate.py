r"""jupyter-server-proxy's stand-alone mode with what 4.6.0 leaves open closed, and nothing else of ours.

- It asks for the login at pages and not at websockets, which it passes to the application for anybody. Here both.
- It sends the visitor's hub cookies and token on to the application, which has no use for them.
- It redirects `/user/seat-1` to `/user/seat\-1/`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from jupyter_server_proxy.standalone.app import StandaloneProxyServer
from tornado import httputil, web

_HUB_COOKIES = "jupyterhub-"
_ACTIVITY = "last_activity_times"
"""The setting in which jupyter-server-proxy notes when something last passed."""


class Sidecar(StandaloneProxyServer):
    """The stand-alone proxy of an application that runs already, elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        # The command is what makes the library choose the handler that is made for stand-alone use.
        super().__init__(command=["application"], activity_interval=0, **kwargs)
        self.last_times: dict[str, datetime] = {}

    def get_proxy_base_class(self) -> tuple[type, dict[str, Any]]:
        """The library's handler behind our gate; "proc" says that there is nothing to start."""
        handler, _ = super().get_proxy_base_class()
        return gated(handler), {"state": {"proc": "in the container beside this one"}}

    def create_app(self) -> web.Application:
        """The library's application, with the redirect to the slash put right."""
        application: web.Application = super().create_app()
        application.settings[_ACTIVITY] = self.last_times
        slash = (f"^{re.escape(self.base_url)}$", web.RedirectHandler, {"url": f"{self.base_url}/"})
        application.add_handlers(".*", [slash])
        return application


def gated(handler: type) -> type:
    """The handler, open to those who may enter and to nobody else, websockets included."""

    class Gated(handler):
        async def prepare(self) -> None:
            # Asked here, once and without blocking the others; `current_user` then knows the answer.
            await self.hub_auth.get_user(self, sync=False)
            if is_websocket(self.request) and not self.current_user:
                raise web.HTTPError(403)

        def proxy_request_headers(self) -> httputil.HTTPHeaders:
            headers = httputil.HTTPHeaders(super().proxy_request_headers())
            return without_credentials(headers, token=getattr(self, "_token_authenticated", False))

    return Gated


def is_websocket(request: httputil.HTTPServerRequest) -> bool:
    """By the rule the library takes it by."""
    return bool(request.headers.get("Upgrade", "").lower() == "websocket")


def without_credentials(headers: httputil.HTTPHeaders, *, token: bool) -> httputil.HTTPHeaders:
    """The headers without the hub's cookies and, if the visitor came in by a token of the hub's, without that."""
    kept = httputil.HTTPHeaders()
    for name, value in headers.get_all():
        if name == "Cookie":
            pairs = (pair.strip() for pair in value.split(";"))
            if own := "; ".join(pair for pair in pairs if not pair.startswith(_HUB_COOKIES)):
                kept.add(name, own)
        elif not (token and name == "Authorization"):
            kept.add(name, value)
    return kept
