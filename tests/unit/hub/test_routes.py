"""Routes in the proxy."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientResponseError

from firstbell.hub import routes
from firstbell.hub.routes import RouteWatch, WatchedProxy

HUB = "http://172.18.0.1:18081"


class Answer:
    def __init__(self, value: Any) -> None:
        self.value = value

    async def json(self) -> Any:
        return json.loads(json.dumps(self.value))


def proxy() -> WatchedProxy:
    return WatchedProxy(
        hub=SimpleNamespace(host=HUB, base_url="/hub/"),
        api_url="http://127.18.0.1:18001",
        auth_token="t",
    )


async def test_routes_of_strangers_are_seen(monkeypatch):
    """A route without JupyterHub's mark is listed, so that it is removed; the proxy's own default is not."""
    given: dict[str, dict[str, Any]] = {
        "/": {"target": HUB},
        "/user/ada": {"target": "http://10.0.0.2:8888", "user": "ada", "jupyterhub": True},
        "/user/ada/lab": {"target": "http://evil:1"},
    }

    async def request(*_: Any, **__: Any) -> Answer:
        return Answer(given)

    watched = proxy()
    monkeypatch.setattr(watched, "api_request", request)
    found = await watched.get_all_routes()
    assert found == {
        "/user/ada/": {"routespec": "/user/ada/", "target": "http://10.0.0.2:8888", "data": {"user": "ada"}},
        "/user/ada/lab/": {"routespec": "/user/ada/lab/", "target": "http://evil:1", "data": {}},
    }
    given["/"]["target"] = "http://evil:1"
    assert "/" in await watched.get_all_routes()


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (Answer({"target": HUB}), True),
        (Answer({"target": "http://evil:1"}), False),
        (ClientResponseError(None, (), status=404), False),  # type: ignore[arg-type]
        (ClientResponseError(None, (), status=500), None),  # type: ignore[arg-type]
        (ClientConnectionError(), None),
        (TimeoutError(), None),
    ],
)
async def test_a_lost_route_is_told_from_a_proxy_that_is_away(monkeypatch, answer, there):
    """Only the proxy's own word that it has no such route, or another target, means that the routes are lost."""

    async def fetch(*_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(routes, "fetch", fetch)
    assert await proxy().has_hub_route() is there


async def test_who_comes_while_routes_are_fetched_keeps_theirs(monkeypatch):
    """Also while a node is away, whose own servers lose their routes: only those, not the newest."""

    def user(name: str, node: str) -> SimpleNamespace:
        server = SimpleNamespace(host=f"http://127.1.0.1:1/{name}")
        ready = SimpleNamespace(ready=True, pending="", proxy_spec=f"/user/{name}/", server=server, node=node)
        return SimpleNamespace(name=name, spawners={"": ready})

    users = {1: user("ada", "node1"), 2: user("ben", "node2")}
    nodes = SimpleNamespace(away=lambda: ("node2",), is_away=lambda name: name == "node2")
    watched = proxy()
    context = SimpleNamespace(cluster=SimpleNamespace(nodes=nodes))
    watched.app = SimpleNamespace(hub=SimpleNamespace(routespec="/hub/", host=HUB), context=context)
    deleted: list[str] = []

    async def request(path: str, method: str = "GET", body: Any = None) -> Answer:
        if method == "DELETE":
            deleted.append(path)
        users[3] = user("eve", "node1")
        spec = {"/hub": {"target": HUB, "hub": True, "jupyterhub": True}}
        paths = {f"/user/{u.name}": (u.name, u.spawners[""].server.host) for u in users.values()}
        return Answer(
            spec | {p: {"target": host, "user": name, "jupyterhub": True} for p, (name, host) in paths.items()}
        )

    monkeypatch.setattr(watched, "api_request", request)
    await watched.check_routes(users, {})
    assert deleted == ["/user/ben"]


class App:
    """Counts the comparisons."""

    def __init__(self) -> None:
        self.checks = 0
        self.there: bool | None = True
        self.users: dict[str, Any] = {}
        self._service_map: dict[str, Any] = {}
        self.proxy = self

    async def has_hub_route(self) -> bool | None:
        return self.there

    async def check_routes(self, *_: Any) -> None:
        self.checks += 1


async def test_lost_routes_are_set_at_once():
    """With everything in place comparisons are rare; a lost route brings one at once; no answer, none."""
    app = App()
    watch = RouteWatch(app)
    await watch.look()
    await watch.look()
    assert app.checks == 1
    app.there = False
    await watch.look()
    assert app.checks == 2
    app.there = None
    await watch.look()
    assert app.checks == 2
