"""The hub hands a login on to the person's own server, in the response that leads there (docs/decisions/0022).

OAuth between a server and the hub answers the server's question "who is this browser?" in five requests: to the
server, to the hub, back with a code, a token for the code, the token's owner. Where the hub itself sends the browser to
its person's own server it knows all that already. It makes the token OAuth would have made (same client, session,
scopes and lifetime) and sets it as the server's login cookie, signed with that server's key, beside its own word on
whose the token is, which the server believes for as long as it believes any answer of the hub's.

Anything unusual takes the ordinary way: other people's servers, web applications, a hub that was restarted since the
server's start (it does not know the server's key then), scopes that are not the plain ones, requests of scripts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterhub import orm, scopes
from jupyterhub.handlers.base import SESSION_COOKIE_NAME
from jupyterhub.user import User
from jupyterhub.utils import utcnow
from sqlalchemy.exc import SQLAlchemyError
from tornado.web import create_signed_value

from firstbell.hub.bells.arrival import arrive
from firstbell.hub.context import SETTING, HubContext

if TYPE_CHECKING:
    from jupyterhub.handlers import BaseHandler as _Base
else:
    _Base = object

LOG = logging.getLogger("firstbell.handover")

KNOWN = "-known"
"""Ends the name of the cookie with the hub's word; what it begins with is the login cookie's name."""
KNOWN_SECONDS = 30
"""How long the word counts: `KNOWN_SECONDS` of singleuser/hub.py."""
LOGIN_DAYS = 30


class HandsOver(_Base):
    """A mixin for the hub's handlers: whoever is redirected to their own server arrives there logged in."""

    def redirect(self, url: str, *arguments: Any, **options: Any) -> None:
        """As tornado's."""
        user = getattr(self, "_jupyterhub_user", None)
        if isinstance(user, User) and urlsplit(url).path.startswith(user.base_url):
            arrive(self.settings[SETTING], user.name)
            hand_over(self, user)
        super().redirect(url, *arguments, **options)


def handing_over(handler: type[Any]) -> type[Any]:
    """A handler of JupyterHub's or of an authenticator's, so that it hands over."""
    return handler if issubclass(handler, HandsOver) else type(handler.__name__, (HandsOver, handler), {})


def hand_over(handler: Any, user: User) -> bool:
    """Log this response's browser in at the server of `user`, who is the person of the request; whether it was done."""
    spawner, session = user.spawners.get(""), handler.get_session_cookie()
    if spawner is None or not session or not _opens_a_page(handler) or not _is_ours(handler, spawner):
        return False
    client, entry = spawner.orm_spawner.oauth_client, scopes.access_scopes(spawner=spawner.orm_spawner)
    if client is None or set(client.allowed_scopes) != entry:
        return False
    is_new = handler.get_cookie(SESSION_COOKIE_NAME) is None
    if not is_new and _has_login(user, client, session):
        return False
    try:
        token = orm.APIToken.new(
            user=user.orm_user,
            oauth_client=client,
            scopes=sorted(scopes.identify_scopes() | entry),
            session_id=session,
            expires_in=handler.app.oauth_token_expires_in,
        )
    except SQLAlchemyError as error:
        # A full disk, perhaps. The way to the server is open still, and may tell more.
        LOG.warning("The login of %s could not be handed over: %s", user.name, error)
        user.db.rollback()
        return False
    _set_cookies(handler, user, spawner, token, session)
    return True


def cookie_secret(server_token: str) -> bytes:
    """The key with which a server signs its cookies; `cookie_secret` of singleuser/login.py."""
    return hmac.new(server_token.encode(), b"firstbell cookie secret 1", hashlib.sha256).digest()


def cookie_name(client_id: str) -> str:
    """The login cookie of a server; as in singleuser/login.py, whose names are JupyterHub's."""
    return re.sub(r"[^A-Za-z0-9_.%~!*-]", "-", client_id)


def known(user: orm.User, token: str, session: str) -> str:
    """The hub's word: whose token that is and what it may, as `/hub/api/user` would say now."""
    held = scopes.identify_scopes(user) | {f"access:servers!server={user.name}/"}
    key = hashlib.sha256(f"{session}\n{token}".encode("utf-8", "replace")).hexdigest()
    return json.dumps({"key": key, "at": time.time(), "model": {"name": user.name, "scopes": sorted(held)}})


def _opens_a_page(handler: Any) -> bool:
    # A script of another person's page may fetch the hub's pages with our cookies. Nothing would leak, but tokens
    # would be made. Browsers on plain HTTP send no such header.
    headers = handler.request.headers
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and not headers.get("Authorization")


def _is_ours(handler: Any, spawner: Any) -> bool:
    """Whether the server runs or starts, is a Jupyter of ours, and its token is known."""
    context: HubContext = handler.settings[SETTING]
    return bool(spawner.api_token and spawner.active and spawner.pending != "stop" and not context.course.server.port)


def _has_login(user: User, client: orm.OAuthClient, session: str) -> bool:
    """Whether this session has one at this server: another would void the XSRF tokens of its open pages."""
    found = user.db.query(orm.APIToken.id).filter_by(user_id=user.id, client_id=client.identifier, session_id=session)
    return found.filter(orm.APIToken.expires_at > utcnow(with_tz=False)).first() is not None


def _set_cookies(handler: Any, user: User, spawner: Any, token: str, session: str) -> None:
    name, secret = cookie_name(spawner.oauth_client_id), cookie_secret(spawner.api_token)
    context: HubContext = handler.settings[SETTING]
    options: dict[str, Any] = {"encrypted": False, "path": user.base_url, "samesite": "Lax"}
    if context.course.is_https:
        options["secure"] = True
    words = {name: (token, LOGIN_DAYS * 24 * 3600), name + KNOWN: (known(user.orm_user, token, session), KNOWN_SECONDS)}
    for cookie, (value, seconds) in words.items():
        signed = create_signed_value(secret, cookie, value)
        handler._set_cookie(cookie, signed, max_age=seconds, **options)  # noqa: SLF001 - JupyterHub's own way
