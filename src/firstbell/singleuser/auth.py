"""Who is it, and may they: jupyter_server's two questions, answered by the hub.

A request is identified by a hub token, from (in this order) the ``Authorization`` header, ``?token=`` where that is
allowed, or the login cookie. The hub says whose it is and which scopes it has; entry needs one of the scopes that the
hub gave us at start. There is no password, no token of our own, and no way to switch any of this off by configuration.

What the hub's silence means: nothing. While it cannot be asked, requests get 502 or 503, are let in only for as long as
its last answer is believed (hub.KNOWN_SECONDS), and no cookie is thrown away.
"""

from __future__ import annotations

import re
from typing import Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web
from traitlets import Any as AnyTrait
from traitlets import validate

from . import handover, xsrf
from .hub import HubTrouble
from .login import CallbackHandler, Login, LoginHandler, LogoutHandler
from .scopes import granted

_PAGE = "page."  #: begins the token that a page of ours shows beside its cookie; worth nothing by itself
_HEADER = re.compile(r"(?:token|bearer)\s+(\S+)\s*$", re.IGNORECASE)
_FIELDS = ("name", "display_name", "initials", "avatar_url", "color")


class HubUser(User):  # type: ignore[misc,unused-ignore]
    """A person as jupyter_server sees them; ``scopes`` are those of the token that the request came with."""

    scopes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, model: dict[str, Any]) -> "HubUser":
        info = model.get("user_info")
        info = info if isinstance(info, dict) else {}
        user = cls(username=model["name"], **{key: info[key] for key in _FIELDS if isinstance(info.get(key), str)})
        user.scopes = frozenset(str(scope) for scope in model["scopes"])
        return user


class HubIdentityProvider(IdentityProvider):  # type: ignore[misc,unused-ignore]
    """Asks the hub who it is. Gets its Login by ``bind`` before the first request."""

    login = AnyTrait()
    token_generated = False

    @validate("token")
    def _no_token(self, proposal: Any) -> str:
        # jupyter_server's own shared token, settable in ~/.jupyter and by $JUPYTER_TOKEN, would open the server to
        # whoever has it and be printed into every page.
        return ""

    def bind(self, login: Login) -> None:
        """Takes the configured login in use; ``token`` is settled once, before anything reads it."""
        self.login = login
        self.token = ""

    async def get_user(self, handler: web.RequestHandler) -> HubUser | None:
        """The request's user, or None where it has no (valid) token; then pages lead to the hub, the rest gets 403.

        Raises ``web.HTTPError``: 403 for people whom the hub knows but this server is not open to, 502 and 503 where
        the hub cannot say.
        """
        kept: HubUser | None = getattr(handler, "_firstbell_user", None)
        if kept is not None:
            return kept
        self._lead_to_hub(handler)
        token, by_cookie = self._credentials(handler)
        if not token:
            return None
        session = handler.get_cookie("jupyterhub-session-id", "") or ""
        if by_cookie:
            handover.take(self.login, handler, token, session)
        try:
            model = await self.login.hub.user(token, session)
        except HubTrouble as trouble:
            raise _refusal(handler, trouble.status, trouble.message) from trouble
        if model is None:
            if by_cookie:
                self.login.clear_token(handler)
            return None
        user = HubUser.of(model)
        if not granted(self.login.settings.scopes, user.scopes):
            raise _refusal(handler, 403, f"{user.username} may not enter this server")
        handler._token_authenticated = not by_cookie  # type: ignore[attr-defined]  # jupyter_server's own name for it
        handler._firstbell_user = user  # type: ignore[attr-defined]
        return user

    def _credentials(self, handler: web.RequestHandler) -> tuple[str, bool]:
        """The token that the request comes with, and whether a cookie brought it."""
        found = _HEADER.match(handler.request.headers.get("Authorization", ""))
        if found and not found.group(1).startswith(_PAGE):
            return found.group(1), False
        token = handler.get_query_argument("token", "") if self._token_in_url(handler.request) else ""
        if token and not token.startswith(_PAGE):
            return token, False
        expected = self.login.xsrf_token(handler)
        if _is_websocket(handler.request) and not self.login.settings.websocket_cookies:
            # Browsers let any page of the origin open a websocket with our cookie, and JavaScript cannot add a header.
            known = bool(expected) and xsrf.same(token, _PAGE + expected)
            return (self.login.token(handler), True) if known else ("", False)
        shown = bool(expected) and xsrf.same(xsrf.shown(handler), expected)
        if shown or xsrf.cookie_suffices(handler.request):
            return self.login.token(handler), True
        return "", False

    def _token_in_url(self, request: Any) -> bool:
        # A link with somebody's token would open their session unasked. Programs and websockets follow no links.
        mode = request.headers.get("Sec-Fetch-Mode", "")
        return bool(mode in ("", "websocket") or self.login.settings.token_in_url)

    def _lead_to_hub(self, handler: web.RequestHandler) -> None:
        """Where tornado would send strangers to a login page, send pages to the hub, and answer 403 to all else."""
        ask_class = handler.get_login_url
        known: list[str] = []

        def get_login_url() -> str:
            if not known:
                ask_class()  # API handlers raise 403 here
                request = handler.request
                opens_page = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
                if request.method not in ("GET", "HEAD") or not opens_page or _is_websocket(request):
                    raise web.HTTPError(403)
                known.append(self.login.start(handler))
            return known[0]

        handler.get_login_url = get_login_url  # type: ignore[method-assign]

    def get_handlers(self) -> list[Any]:
        arguments = {"login": self.login}
        return [
            (r"/login", LoginHandler, arguments),
            (r"/logout", LogoutHandler, arguments),
            (r"/oauth_callback", CallbackHandler, arguments),
        ]

    def validate_security(self, app: Any, ssl_options: Any = None) -> None:
        """Says nothing: the warnings of the base class are about a server that a person started on a laptop."""

    def page_config(self, handler: Any, config: dict[str, Any]) -> dict[str, Any]:
        """What JupyterLab and Notebook want to know of the hub (the same keys that JupyterHub's own server gives).

        Without the hub's ``token``: pages work by their cookie and XSRF token, so that no script in a notebook's output
        can read a token that would be good elsewhere too. Where a cookie does not suffice for websockets, the page gets
        a token that is good beside this browser's cookie only; recent JupyterLab appends it.
        """
        settings = self.login.settings
        user = handler.current_user
        config.update(
            hubUser=user.username if user else "",
            hubServerUser=settings.user,
            hubPrefix=settings.hub_prefix,
            hubHost=settings.host,
            hubServerName=settings.server_name,
            shareUrl=settings.hub_prefix + "user-redirect",
            token="",
        )
        if not settings.websocket_cookies:
            config.update(token=_PAGE + self.login.xsrf_token(handler), appendToken="true")
        return config


class HubAuthorizer(Authorizer):  # type: ignore[misc,unused-ignore]
    """Whoever may enter may do everything; entry is asked for again, in case a handler skipped the first question."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        held: frozenset[str] = getattr(user, "scopes", frozenset())
        provider: Any = self.identity_provider
        return bool(granted(provider.login.settings.scopes, held))


def _refusal(handler: Any, status: int, message: str) -> web.HTTPError:
    # Error pages ask for the user; an answer must be there, or asking raises anew.
    handler.current_user = handler._jupyter_current_user = None
    return web.HTTPError(status, message)


def _is_websocket(request: Any) -> bool:
    return bool(request.headers.get("Upgrade", "").lower() == "websocket")
