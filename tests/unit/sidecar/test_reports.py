"""What a side-car tells the hub."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from firstbell.engine.waiting import until
from firstbell.sidecar.reports import announce, keep_reporting, keep_telling_use
from firstbell.sidecar.settings import Settings, load
from tests.support.listening import free_port
from tests.unit.sidecar.test_gate import served


class Hub:
    """Takes reports, after refusing some."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.got: list[tuple[str, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=404)
        self.got.append((request.headers["Authorization"], await request.text()))
        return web.Response(status=204)


def told(hub_port: int, app_port: int, timeout: float = 10) -> Settings:
    url = f"http://127.0.0.1:{hub_port}/report"
    return Settings("t0ken", "/user/a/", 8888, app_port, False, url, url, timeout, 0.01)


async def test_readiness_is_told_when_the_port_opens():
    """Nothing is told before; a hub that is not ready itself is asked again."""
    runners: list[web.AppRunner] = []
    hub, app_port = Hub(refusals=2), free_port()
    hub_port = await served(runners, "/report", hub.take)
    task = asyncio.create_task(announce(told(hub_port, app_port)))
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", app_port)
    assert not hub.got
    assert await task
    assert hub.got == [("token t0ken", "{}")]
    listener.close()
    await runners[0].cleanup()


async def test_a_port_that_stays_closed_is_not_waited_for_without_end():
    """After its time the side-car gives up and tells nothing."""
    runners: list[web.AppRunner] = []
    hub = Hub()
    hub_port = await served(runners, "/report", hub.take)
    assert not await announce(told(hub_port, free_port(), timeout=0.1))
    assert not hub.got
    await runners[0].cleanup()


async def test_new_activity_is_reported_once():
    """The time of the last use is told, and again only when it has changed."""
    runners: list[web.AppRunner] = []
    hub, times = Hub(refusals=1), {"x": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    task = asyncio.create_task(keep_reporting(told(await served(runners, "/report", hub.take), 1), times))
    await until(lambda: has(hub, 1), deadline=5)
    times["x"] = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    await until(lambda: has(hub, 2), deadline=5)
    task.cancel()
    stamps = [json.loads(text)["servers"][""]["last_activity"] for _, text in hub.got]
    assert stamps == ["2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:06.000000Z"]
    await runners[0].cleanup()


async def test_time_without_use_is_told_whatever_the_time_of_day():
    """It grows as long as nothing passes; a use whose time lies before the last one's is one all the same."""
    runners: list[web.AppRunner] = []
    now, hub, times = [0.0], Hub(refusals=1), {"x": datetime(2026, 1, 2, 3, tzinfo=UTC)}
    settings = replace(told(0, 1), use_url=f"http://127.0.0.1:{await served(runners, '/use', hub.take)}/use")
    task = asyncio.create_task(keep_telling_use(settings, times, lambda: now[0]))

    async def tells(age: float) -> bool:
        return bool(hub.got) and json.loads(hub.got[-1][1]) == {"age": age}

    await until(lambda: tells(0.0), deadline=5)
    now[0] = 90.0
    await until(lambda: tells(90.0), deadline=5)
    times["x"] = datetime(2026, 1, 1, 3, tzinfo=UTC)
    await until(lambda: tells(0.0), deadline=5)
    task.cancel()
    await runners[0].cleanup()


async def has(hub: Hub, count: int) -> bool:
    return len(hub.got) >= count


def test_settings_are_read_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file's values become settings; JupyterHub's variables become this process's environment."""
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    env = {
        "API_TOKEN": "t0ken",
        "SERVICE_PREFIX": "/user/a/",
        "ACTIVITY_URL": "http://hub/activity",
        "API_URL": "http://hub/api",
    }
    for name in env:
        monkeypatch.setenv(f"JUPYTERHUB_{name}", "before")
    file = tmp_path / "sidecar.json"
    file.write_text(
        json.dumps({
            "env": {f"JUPYTERHUB_{name}": value for name, value in env.items()},
            "port": 8888, "app_port": 8787, "keep_prefix": True,
            "ready_url": "http://hub/ready", "timeout": 80, "activity_interval": 60,
        })
    )  # fmt: skip
    settings = load(file)
    assert (settings.token, settings.prefix, settings.app_port) == ("t0ken", "/user/a/", 8787)
    assert settings.keep_prefix
    assert settings.use_url == "http://hub/api/companion/use"
    assert "t0ken" not in repr(settings)
