"""Talks to the hub's API: whose token is this, here is a code, here is a report. Nothing else does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from typing import Any, Mapping
from urllib.parse import urlencode

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .settings import Settings

KNOWN_SECONDS = 30.0  #: how long a "yes" is believed: the longest that a revoked token lives on
UNKNOWN_SECONDS = 5.0  #: how long a "no" is believed
CACHE_SIZE = 1024
_LONGEST_TOKEN = 512
_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 15.0


class HubTrouble(Exception):
    """The hub could not answer (``status`` 503) or answered nonsense (502). Says nothing about any token."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Refused(Exception):
    """The hub understood and said no (its 4xx), in its own words."""


class Hub:
    """A client of one hub for one server. Believes what it was told for a short while, within bounds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: OrderedDict[str, tuple[float, dict[str, Any] | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._client: SimpleAsyncHTTPClient | None = None

    @staticmethod
    def key(token: str, session: str) -> str:
        """Under which an answer is kept; the hub's own word about a login names it (handover)."""
        return hashlib.sha256(f"{session}\n{token}".encode("utf-8", "replace")).hexdigest()

    def believe(self, key: str, model: Mapping[str, Any], age: float) -> None:
        """Takes the hub's word of ``age`` seconds ago, unless it has been asked since."""
        if key not in self._seen:
            self._keep(key, KNOWN_SECONDS - age, dict(model))

    def has_asked(self, key: str) -> bool:
        """Whether the hub has ever said something under this key, as far as is remembered."""
        return key in self._seen

    async def user(self, token: str, session: str = "") -> dict[str, Any] | None:
        """The hub's model of the token's owner, or None where the hub does not know the token.

        ``session`` is the browser's ``jupyterhub-session-id``: logging out at the hub changes it, and so the next
        request asks the hub again instead of the cache. Raises HubTrouble.
        """
        if not token or len(token) > _LONGEST_TOKEN or not token.isascii() or not token.isprintable():
            return None
        key = self.key(token, session)
        until, model = self._seen.get(key, (0.0, None))
        if time.monotonic() < until:
            return model
        # A page asks for sixty files at once: they share one question to the hub.
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(key, token))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _ask(self, key: str, token: str) -> dict[str, Any] | None:
        response = await self._fetch("GET", self._settings.api_url + "/user", token)
        if response.code in (401, 403, 404):
            model = None
        elif response.code == 200:
            model = _decoded(response)
            if not isinstance(model.get("name"), str) or not isinstance(model.get("scopes"), list):
                raise HubTrouble(502, "the hub's answer names no user")
        else:
            raise HubTrouble(502, f"the hub answered {response.code} when asked who you are")
        self._keep(key, UNKNOWN_SECONDS if model is None else KNOWN_SECONDS, model)
        return model

    def _keep(self, key: str, seconds: float, model: dict[str, Any] | None) -> None:
        self._seen[key] = (time.monotonic() + seconds, model)
        self._seen.move_to_end(key)
        while len(self._seen) > CACHE_SIZE:
            self._seen.popitem(last=False)

    async def exchange(self, code: str, verifier: str) -> str:
        """The access token for an authorisation code (RFC 6749 4.1.3, RFC 7636 4.5). Raises HubTrouble, Refused."""
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.token,
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self._settings.redirect_uri,
        }
        response = await self._fetch(
            "POST",
            self._settings.api_url + "/oauth2/token",
            self._settings.token,
            urlencode(form),
            "application/x-www-form-urlencoded",
        )
        if 400 <= response.code < 500:
            raise Refused(f"the hub refused the login ({response.code})")
        if response.code != 200:
            raise HubTrouble(502, f"the hub answered {response.code} to the login")
        token = _decoded(response).get("access_token")
        if not isinstance(token, str) or not token:
            raise HubTrouble(502, "the hub's answer to the login holds no token")
        return token

    async def post(self, url: str, report: Mapping[str, Any]) -> None:
        """Sends a report with the server's own token. Raises HubTrouble, Refused."""
        response = await self._fetch("POST", url, self._settings.token, json.dumps(report), "application/json")
        if 400 <= response.code < 500:
            raise Refused(f"the hub refused a report ({response.code})")
        if not 200 <= response.code < 300:
            raise HubTrouble(502, f"the hub answered {response.code} to a report")

    async def call(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Asks the hub's API as this server, which acts for its owner: status and answer. Raises HubTrouble."""
        body = None if told is None else json.dumps(told)
        kind = "" if told is None else "application/json"
        response = await self._fetch(method, self._settings.api_url + path, self._settings.token, body, kind)
        try:
            return response.code, _decoded(response)
        except HubTrouble:
            if 200 <= response.code < 300 and response.body:
                raise
            return response.code, {"message": f"The hub answered {response.code}."} if response.code >= 400 else {}

    async def _fetch(self, method: str, url: str, token: str, body: str | None = None, kind: str = "") -> HTTPResponse:
        if self._client is None:
            # Not the configurable AsyncHTTPClient: no proxies, no redirects, and no cap shared with extensions.
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=20)
        headers = {"Authorization": f"token {token}", "Accept": "application/json"}
        if kind:
            headers["Content-Type"] = kind
        request = HTTPRequest(
            url,
            method=method,
            headers=headers,
            body=body,
            follow_redirects=False,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
        )
        try:
            return await self._client.fetch(request, raise_error=False)
        except Exception as error:  # refused, reset, timed out, cut short: the one thing to say is the same
            raise HubTrouble(503, f"the hub does not answer ({type(error).__name__})") from error


def _decoded(response: HTTPResponse) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HubTrouble(502, "the hub's answer is not what its API promises")
    return value
