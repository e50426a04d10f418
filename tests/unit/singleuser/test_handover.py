"""The hub's word beside a login cookie: when it is believed, and when it is not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from jupyterhub import orm
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest

from firstbell.hub.logins import handover as hubs
from firstbell.singleuser import handover
from firstbell.singleuser.hub import KNOWN_SECONDS, Hub
from firstbell.singleuser.login import Login, cookie_secret
from firstbell.singleuser.settings import parse

TOKEN, SESSION = "f" * 32, "a-session"
ENV = {
    "JUPYTERHUB_API_TOKEN": "the server's own",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada@b",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada@b/",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ada@b/"]',
    "JUPYTERHUB_OAUTH_SCOPES": "[]",
    "JUPYTERHUB_USER": "ada@b",
}


@pytest.fixture
def login() -> Login:
    settings = parse({"env": ENV}, "a test")
    return Login(settings, Hub(settings))


def word(**changes: Any) -> dict[str, Any]:
    """What the hub would say, with changes."""
    plain = {"name": "ada@b", "scopes": ["access:servers!server=ada@b/"]}
    return {"key": Hub.key(TOKEN, SESSION), "at": time.time(), "model": plain, **changes}


def come(login: Login, value: str, secret: bytes = b"", name: str = "", session: str = SESSION) -> bool:
    """Whether the client of the hub believes something after a request with that word."""
    name = name or login.cookie + handover.SUFFIX
    signed = web.create_signed_value(secret or cookie_secret(ENV["JUPYTERHUB_API_TOKEN"]), name, value).decode()
    headers = HTTPHeaders({"Cookie": f'{login.cookie + handover.SUFFIX}="{signed}"'})
    request = HTTPServerRequest("GET", "/user/ada@b/", headers=headers, connection=_Connection())  # type: ignore[arg-type]
    application = web.Application(cookie_secret=cookie_secret(ENV["JUPYTERHUB_API_TOKEN"]))
    handler = web.RequestHandler(application, request)
    handover.take(login, handler, TOKEN, session)
    return login.hub.has_asked(Hub.key(TOKEN, session))


class _Connection:
    """What tornado's handler wants of a connection."""

    context = None

    def set_close_callback(self, callback: Any) -> None:
        """Never closes."""


def test_the_hub_signs_as_the_server_reads() -> None:
    """Key, cookie's name, suffix and lifetime are written down twice, as the hub imports nothing of the server's."""
    login = Login(parse({"env": ENV}, "a test"), Hub(parse({"env": ENV}, "a test")))
    assert hubs.cookie_secret("x") == cookie_secret("x")
    assert hubs.cookie_name("jupyterhub-user-ada@b%C3") == "jupyterhub-user-ada-b%C3"
    assert hubs.cookie_name(ENV["JUPYTERHUB_CLIENT_ID"]) == login.cookie
    assert hubs.KNOWN == handover.SUFFIX
    assert hubs.KNOWN_SECONDS == KNOWN_SECONDS


async def test_a_fresh_word_saves_the_question(login: Login) -> None:
    """The server knows its person without a hub that could be asked."""
    assert come(login, hubs.known(orm.User(name="ada@b"), TOKEN, SESSION))
    model = await login.hub.user(TOKEN, SESSION)
    assert model and model["name"] == "ada@b" and "access:servers!server=ada@b/" in model["scopes"]


@pytest.mark.parametrize(
    ("why", "value"),
    [
        ("of another login", word(key=Hub.key("0" * 32, SESSION))),
        ("of another session", word(key=Hub.key(TOKEN, "other"))),
        ("too old", word(at=time.time() - KNOWN_SECONDS - 1)),
        ("of the future", word(at=time.time() + 3600)),
        ("no time", word(at="now")),
        ("no model", word(model=None)),
        ("no scopes", word(model={"name": "ada@b"})),
        ("no object", ["key"]),
    ],
)
def test_other_words_count_for_nothing(login: Login, why: str, value: Any) -> None:
    """Then the hub is asked, as ever."""
    assert not come(login, json.dumps(value)), why


def test_no_json_counts_for_nothing(login: Login) -> None:
    """A cookie of another version is no failure."""
    assert not come(login, "2|what?")


def test_a_word_signed_by_others_counts_for_nothing(login: Login) -> None:
    """Another server's key, or the right key for another cookie."""
    right = json.dumps(word())
    assert not come(login, right, secret=cookie_secret("another server's"))
    assert not come(login, right, name=login.cookie)


def test_a_word_ends_with_the_session(login: Login) -> None:
    """Logging out changes the browser's session: the word of before it is none."""
    assert not come(login, json.dumps(word()), session="after logging out")


async def test_a_word_is_not_preferred_to_the_hub(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the hub has said no, an older word in the browser does not bring a login back."""
    key = Hub.key(TOKEN, SESSION)
    login.hub._keep(key, 5.0, None)
    assert come(login, json.dumps(word()))
    assert await login.hub.user(TOKEN, SESSION) is None


async def test_a_word_lasts_no_longer_than_an_answer(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 20 seconds ago is believed for 10 more."""
    assert come(login, json.dumps(word(at=time.time() - 20)))
    until, _ = login.hub._seen[Hub.key(TOKEN, SESSION)]
    assert until - time.monotonic() == pytest.approx(KNOWN_SECONDS - 20, abs=1)
