"""The browser's way in and out: OAuth 2 with the hub (RFC 6749, PKCE of RFC 7636), and the cookies that it needs.

Nothing about a login under way is kept in memory. What must survive until the browser comes back is in a signed cookie
of that browser, so a flood of half-made logins costs nothing and a restarted server finishes the ones it finds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from typing import Any, Iterator
from urllib.parse import unquote, urlencode, urlsplit

from tornado import escape, web

from . import xsrf
from .hub import Hub, HubTrouble, Refused
from .settings import Settings

STATE_SECONDS = 600
_STATES_AT_ONCE = 8  #: tabs that may be logging in at the same time; their cookies must fit into one header
_LONGEST_NEXT = 1500
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title><body style='font:1.1em system-ui;max-width:32em;margin:4em auto;padding:0 1em'>"
    "<h1>{title}</h1><p>{text}</p><p><a href='{url}'>Try again</a></p>"
)


def cookie_secret(token: str) -> bytes:
    """The key that signs this server's cookies.

    Derived from the server's own token: new with every start by the hub, but a container that is only restarted accepts
    the cookies it gave out, and no file in the home holds it.
    """
    return hmac.new(token.encode(), b"firstbell cookie secret 1", hashlib.sha256).digest()


def safe_next(url: str, prefix: str) -> str:
    """``url`` where it is a path of this server, else the server's front page. Never leads anywhere else."""
    if not url.startswith(prefix) or len(url) > _LONGEST_NEXT or re.search(r"[\\\x00-\x20\x7f]", url):
        return prefix
    parts = urlsplit(url)
    path = unquote(parts.path)
    outside = parts.scheme or parts.netloc or "\\" in path or not path.startswith(prefix)
    if outside or any(part in (".", "..") for part in path.split("/")) or path.startswith(prefix + "/"):
        return prefix
    if path in (prefix + "oauth_callback", prefix + "logout"):
        return prefix
    return url


class Login:
    """Starts and finishes logins of one server, and reads and writes the login cookie."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self.settings = settings
        self.hub = hub
        self._secret = cookie_secret(settings.token)
        # The same names as JupyterHub's own, so that whoever debugs finds what the documentation says.
        self.cookie = re.sub(r"[^A-Za-z0-9_.%~!*-]", "-", settings.client_id)
        self._state_cookie = self.cookie + "-oauth-state"

    # -- the login cookie

    def token(self, handler: web.RequestHandler) -> str:
        """The hub token in the request's login cookie, or an empty string.

        Looks at every cookie of the name: a page of another server can plant an invalid one at our path, and a browser
        sends both.
        """
        return next((value.decode("utf-8", "replace") for value in self.values(handler, self.cookie)), "")

    @staticmethod
    def values(handler: web.RequestHandler, name: str) -> Iterator[bytes]:
        """What the request's cookies of that name say that were signed here (or by the hub, which knows our key)."""
        found = (handler.get_secure_cookie(name, value=value) for value in _cookies(handler.request, name))
        return (value for value in found if value)

    def set_token(self, handler: web.RequestHandler, token: str) -> None:
        self._set(handler, self.cookie, token, expires_days=30)

    def clear_token(self, handler: web.RequestHandler) -> None:
        handler.clear_cookie(self.cookie, path=self.settings.prefix)

    def xsrf_token(self, handler: web.RequestHandler) -> str:
        """The XSRF token that belongs to the request's login cookie; empty where it has none."""
        token = self.token(handler)
        session = handler.get_cookie("jupyterhub-session-id", "") or ""
        return xsrf.token_for(self._secret, token, session) if token else ""

    # -- the way in

    def start(self, handler: web.RequestHandler) -> str:
        """Sets the state cookie and returns the hub's authorisation URL."""
        state = secrets.token_urlsafe(24)
        pending = [name for name in handler.request.cookies if name.startswith(self._state_cookie)]
        if len(pending) >= _STATES_AT_ONCE:
            for name in pending:
                handler.clear_cookie(name, path=self.settings.prefix)
        value = json.dumps({"state": state, "next": safe_next(handler.request.uri or "", self.settings.prefix)})
        self._set(handler, self._state_name(state), value, expires_days=None, max_age=STATE_SECONDS)
        query = {
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "response_type": "code",
            "state": state,
            "code_challenge": _challenge(self._verifier(state)),
            "code_challenge_method": "S256",
        }
        return f"{self.settings.host}{self.settings.hub_prefix}api/oauth2/authorize?{urlencode(query)}"

    async def finish(self, handler: web.RequestHandler) -> str:
        """Checks the state, exchanges the code, sets the login cookie; returns the page to go to.

        Raises ``web.HTTPError``: 400 or 403 where the request is not the answer to a login that this browser began.
        """
        state, code = handler.get_argument("state", ""), handler.get_argument("code", "")
        name = self._state_name(state)
        known = _json(handler.get_secure_cookie(name, max_age_days=STATE_SECONDS / 86400)) if state else {}
        handler.clear_cookie(name, path=self.settings.prefix)  # good for one try, whatever comes of it
        if not state or not xsrf.same(state, str(known.get("state", ""))):
            if self.token(handler):
                # One of many tabs that logged in at once, and another was first. Nothing is taken from this request.
                return self.settings.prefix
            raise web.HTTPError(403, "this login was not begun in this browser, or too long ago")
        if handler.get_argument("error", "") or not code:
            raise web.HTTPError(403, "the hub did not let you in")
        try:
            token = await self.hub.exchange(code, self._verifier(state))
        except Refused as refused:
            raise web.HTTPError(403, str(refused)) from refused
        except HubTrouble as trouble:
            raise web.HTTPError(trouble.status, trouble.message) from trouble
        self.set_token(handler, token)
        return safe_next(str(known.get("next", "")), self.settings.prefix)

    def _verifier(self, state: str) -> str:
        # Derived, not stored: only this server can make it, and the browser never holds it.
        return _base64(hmac.new(self._secret, b"pkce " + state.encode("utf-8", "replace"), hashlib.sha256).digest())

    def _state_name(self, state: str) -> str:
        digest = hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
        return f"{self._state_cookie}-{digest[:12]}"

    def _set(self, handler: web.RequestHandler, name: str, value: str, **options: Any) -> None:
        secure = xsrf.is_https(handler.request) or self.settings.public_url.startswith("https:")
        handler.set_secure_cookie(
            name, value, path=self.settings.prefix, httponly=True, samesite="Lax", secure=secure, **options
        )


class CallbackHandler(web.RequestHandler):
    """``oauth_callback``: where the hub sends the browser back to. Open to all by its nature."""

    def initialize(self, login: Login) -> None:
        self.login = login

    async def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.redirect(await self.login.finish(self))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        text = "Something went wrong."
        if isinstance(error, web.HTTPError) and error.log_message:
            text = escape.xhtml_escape(error.log_message[:1].upper() + error.log_message[1:] + ".")
        title = "Login not finished"
        self.finish(_PAGE.format(title=title, text=text, url=self.login.settings.prefix))


class LoginHandler(web.RequestHandler):
    """``login``: jupyter_server's name for the way in; the page it leads to starts the login where one is needed."""

    def initialize(self, login: Login) -> None:
        self.login = login

    def get(self) -> None:
        self.redirect(safe_next(self.get_argument("next", ""), self.login.settings.prefix))


class LogoutHandler(web.RequestHandler):
    """``logout``: forgets the login here, then lets the hub end the session, and with it every token given for it."""

    def initialize(self, login: Login) -> None:
        self.login = login

    def get(self) -> None:
        self.login.clear_token(self)
        self.clear_cookie("_xsrf", path=self.login.settings.prefix)
        self.redirect(self.login.settings.host + self.login.settings.hub_prefix + "logout")


# jupyter_server >= 2.13 refuses handlers that do not say who may call them; its decorator leaves this mark.
for _method in (CallbackHandler.get, LoginHandler.get, LogoutHandler.get):
    setattr(_method, "__allow_unauthenticated", True)


def _cookies(request: Any, name: str) -> list[str]:
    found = []
    for header in request.headers.get_list("Cookie"):
        for chunk in header.split(";"):
            key, _, value = chunk.strip().partition("=")
            if key == name:
                found.append(value.strip().strip('"'))
    return found[:16]


def _json(value: bytes | None) -> dict[str, Any]:
    try:
        decoded = json.loads(value or b"{}")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _challenge(verifier: str) -> str:
    return _base64(hashlib.sha256(verifier.encode()).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
