"""Forged requests from another user's page, which is of the same origin: what the cookie alone may do, and XSRF tokens.

All servers of a hub share one origin, so a page at ``/user/eve/`` may send requests to ``/user/ada/`` that carry Ada's
cookies, may read the answers, and may even plant cookies at Ada's path. JupyterHub 4.1 answered with two rules, and
these are the same two:

- a cookie alone opens pages (navigation) and images of our own pages, nothing that a script could read;
- everything else shows a token that is derived from the login cookie, which no script can read or forge. Tornado's own
  token is compared with a second cookie, and that one could be planted.

Browsers leave out ``Sec-Fetch-*`` on plain HTTP (other than localhost); then reading is not guarded, writing still is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Callable

from tornado import web

_READING = ("GET", "HEAD", "OPTIONS")


def token_for(secret: bytes, login: str, session: str) -> str:
    """The XSRF token that belongs to a login: stable while that lasts, so that open pages stay valid."""
    digest = hmac.new(secret, f"xsrf\n{session}\n{login}".encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def cookie_suffices(request: Any) -> bool:
    """May this request act by its cookie alone? (The rule of JupyterHub's ``_needs_check_xsrf``.)"""
    mode = request.headers.get("Sec-Fetch-Mode", "")
    if mode == "websocket" or request.headers.get("Upgrade", "").lower() == "websocket":
        return True  # guarded by their own rules, see auth
    if request.method not in _READING:
        return False
    if mode in ("navigate", ""):
        return True
    return bool(mode == "no-cors" and request.headers.get("Sec-Fetch-Site") == "same-origin")


def shown(handler: web.RequestHandler) -> str:
    """The XSRF token that the request shows, or an empty string."""
    headers = handler.request.headers
    return str(handler.get_argument("_xsrf", "") or headers.get("X-Xsrftoken") or headers.get("X-Csrftoken") or "")


def install(expected: Callable[[web.RequestHandler], str], path: str) -> None:
    """Makes every handler of this process use our token wherever a login cookie is present.

    ``expected`` gives the right token of a request, or an empty string where it has no login cookie: then tornado's own
    double-submit check stays in force. Replaces two documented methods of ``tornado.web.RequestHandler`` rather than
    subclassing, because extensions bring handlers of their own.
    """
    original_token: Any = web.RequestHandler.xsrf_token
    original_check = web.RequestHandler.check_xsrf_cookie

    def xsrf_token(self: web.RequestHandler) -> bytes:
        token = expected(self)
        if not token:
            return bytes(original_token.fget(self))
        held = self.get_cookie("_xsrf")
        if held != token and self.request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
            self.set_cookie("_xsrf", token, path=path, samesite="Lax", secure=is_https(self.request))
        return token.encode()

    def check_xsrf_cookie(self: web.RequestHandler) -> None:
        token = expected(self)
        if not token:
            original_check(self)
            return
        if cookie_suffices(self.request):
            return
        given = shown(self)
        if not given:
            raise web.HTTPError(403, f"'_xsrf' argument missing from {self.request.method}")
        if not same(given, token):
            raise web.HTTPError(403, f"XSRF token does not match {self.request.method} argument")

    web.RequestHandler.xsrf_token = property(xsrf_token)  # type: ignore[assignment]
    web.RequestHandler.check_xsrf_cookie = check_xsrf_cookie  # type: ignore[method-assign]


def same(given: str, token: str) -> bool:
    """Compares in constant time; anything a client may send is allowed to come in."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


def is_https(request: Any) -> bool:
    """Did the *browser* speak HTTPS? Proxies append, so the first entry is the one nearest to the browser."""
    forwarded = request.headers.get("X-Forwarded-Proto") or request.headers.get("X-Scheme") or request.protocol
    return str(forwarded).split(",")[0].strip().lower() == "https"
