"""The side-car before an application: who gets through to it, and with what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from jupyterhub.services.auth import HubOAuth
from tornado import httputil, websocket

from firstbell.sidecar.settings import Settings
from tests.support.listening import free_port

TOKEN = "visitors-token"
PREFIX = "/user/seat-1/"
SCOPE = "access:servers!server=seat-1/"


@dataclass
class Side:
    """A side-car on this loop, an application that shows what it is asked, and a hub that knows one token."""

    url: str
    app_port: int
    sidecar: Any


async def application(request: web.Request) -> web.StreamResponse:
    """Says what it was asked; echoes on a websocket."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(f"echo {message.data}")
        return ws
    return web.json_response({"path": request.path_qs, "headers": dict(request.headers)})


async def hub_user(request: web.Request) -> web.Response:
    """The hub's answer about a token."""
    if request.headers["Authorization"] != f"token {TOKEN}":
        return web.Response(status=403)
    return web.json_response({"name": "seat-1", "kind": "user", "groups": [], "scopes": [SCOPE]})


async def served(stack: list[web.AppRunner], path: str, handler: Any) -> int:
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stack.append(runner)
    return port


@pytest.fixture(params=[False, True], ids=["strip", "keep"])
async def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    runners: list[web.AppRunner] = []
    monkeypatch.setattr(websocket, "_default_max_message_size", websocket._default_max_message_size)
    app_port = await served(runners, "/{path:.*}", application)
    hub_port = await served(runners, "/hub/api/user", hub_user)
    for name, value in {
        "API_TOKEN": "servers-token",
        "API_URL": f"http://127.0.0.1:{hub_port}/hub/api",
        "BASE_URL": "/",
        "CLIENT_ID": "jupyterhub-user-seat-1",
        "USER": "seat-1",
        "SERVICE_PREFIX": PREFIX,
        "OAUTH_ACCESS_SCOPES": json.dumps([SCOPE]),
    }.items():
        monkeypatch.setenv(f"JUPYTERHUB_{name}", value)
    from firstbell.sidecar.serve import made

    HubOAuth.clear_instance()
    port = free_port()
    sidecar = made(Settings("t0ken", PREFIX, port, app_port, request.param, "", "", 5, 60))
    server = sidecar.create_app().listen(port, "127.0.0.1")
    yield Side(f"http://127.0.0.1:{port}", app_port, sidecar)
    server.stop()
    HubOAuth.clear_instance()
    for runner in runners:
        await runner.cleanup()


async def get(url: str, **headers: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def echoed(url: str, said: str = "hi", **headers: str) -> str:
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers, max_msg_size=0) as ws:
        await ws.send_str(said)
        return str((await ws.receive()).data)


async def test_a_stranger_is_sent_to_the_login(side):
    """A page without login leads to the hub's OAuth, not to the application."""
    status, _, location = await get(side.url + PREFIX)
    assert (status, location.partition("?")[0]) == (302, "/hub/api/oauth2/authorize")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token somebody-elses"}])
async def test_a_strangers_websocket_is_refused(side, headers):
    """A websocket without login, or with a token the hub does not know, does not reach the application."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await echoed(side.url + PREFIX + "ws", **headers)
    assert caught.value.status == 403


async def test_the_visitor_gets_through(side):
    """With the hub's token both pages and websockets are served; the path comes as the course wants it."""
    _, text, _ = await get(f"{side.url}{PREFIX}a%20b?c=d", Authorization=f"token {TOKEN}")
    asked = json.loads(text)
    assert asked["path"] == ("/user/seat-1/a%20b?c=d" if side.sidecar.absolute_url else "/a%20b?c=d")
    assert await echoed(side.url + PREFIX + "ws", Authorization=f"token {TOKEN}") == "echo hi"


async def test_a_large_message_passes_both_ways(side):
    """Twenty megabytes in one websocket message, more than tornado takes by itself."""
    large = "x" * 20_000_000
    assert await echoed(side.url + PREFIX + "ws", large, Authorization=f"token {TOKEN}") == f"echo {large}"


async def test_credentials_of_the_hub_stay_outside(side):
    """Neither the token nor the hub's cookies reach the application; its own cookies do."""
    cookies = "jupyterhub-session-id=s; theme=dark; jupyterhub-user-seat-1=secret"
    _, text, _ = await get(side.url + PREFIX, Authorization=f"token {TOKEN}", Cookie=cookies)
    headers = json.loads(text)["headers"]
    assert headers["Cookie"] == "theme=dark"
    assert TOKEN not in text
    assert "secret" not in text


async def test_activity_is_what_passes_through(side):
    """A request of the visitor is noted; a refused one is not."""
    await get(side.url + PREFIX)
    assert not side.sidecar.last_times
    await get(side.url + PREFIX, Authorization=f"token {TOKEN}")
    assert side.sidecar.last_times


async def test_the_slash_is_added(side):
    """The prefix without its slash leads to the prefix with it, hyphen and all."""
    assert await get(side.url + "/user/seat-1") == (301, "", "/user/seat-1/")


def test_an_applications_own_authorization_is_left_alone():
    """Only a token by which the visitor came in is taken away."""
    from firstbell.sidecar.gate import without_credentials

    headers = httputil.HTTPHeaders({"Authorization": "Basic abc", "Cookie": "jupyterhub-session-id=s"})
    assert dict(without_credentials(headers, token=False)) == {"Authorization": "Basic abc"}
    assert dict(without_credentials(headers, token=True)) == {}
