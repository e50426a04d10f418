"""What the side-car tells the hub: that the application answers, and when it was last used."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .settings import Settings

LOG = logging.getLogger("sidecar")
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
"""Seconds between two tries."""
_REQUEST_SECONDS = 15.0
_SHORTEST_PAUSE = 1.0
"""Seconds between two words of use."""


async def announce(told: Settings) -> bool:
    """Tell the hub as soon as the application's port is open; whether that came about within its time."""
    try:
        async with asyncio.timeout(told.timeout):
            await _opened(told.app_port)
            LOG.info("the application answers on port %d", told.app_port)
            await _delivered(told, told.ready_url, {})
    except TimeoutError:
        LOG.warning("the application did not open port %d within %.0f s", told.app_port, told.timeout)
        return False
    return True


async def keep_reporting(told: Settings, last_times: Mapping[str, datetime]) -> None:
    """Report the last activity to the hub, over and over. One failure never ends it."""
    sent: datetime | None = None
    while True:
        # Spread, or all servers of a class that started together would report together for ever.
        await asyncio.sleep(told.activity_interval * random.uniform(0.9, 1.1))
        latest = max(last_times.values(), default=None)
        if latest is None or latest == sent:
            continue
        stamp = latest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            await _post(told, told.activity_url, {"servers": {"": {"last_activity": stamp}}, "last_activity": stamp})
            sent = latest
        except Exception as error:
            LOG.warning("activity could not be told, trying again: %s", error)


async def keep_telling_use(
    told: Settings, last_times: Mapping[str, datetime], clock: Callable[[], float] = time.monotonic
) -> None:
    """Tell the hub how long nothing has passed, whenever it wants to know. No times of day are compared: they jump."""
    seen, since = dict(last_times), clock()
    while True:
        if last_times != seen:
            seen, since = dict(last_times), clock()
        pause = told.activity_interval
        try:
            wanted = json.loads(await _post(told, told.use_url, {"age": round(clock() - since, 1)})).get("next")
            if isinstance(wanted, int | float) and wanted > 0:
                pause = min(pause, max(_SHORTEST_PAUSE, wanted))
        except Exception as error:
            LOG.debug("use could not be told, trying again: %s", error)
            pause = min(pause, _REQUEST_SECONDS)
        await asyncio.sleep(pause * random.uniform(1.0, 1.05))


async def _opened(port: int) -> None:
    """Wait until something listens on the port; a loopback connection is all it costs."""
    wait = _FIRST_WAIT
    while True:
        try:
            _, writer = await asyncio.open_connection("localhost", port)
        except OSError:
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)
        else:
            writer.close()
            return


async def _delivered(told: Settings, url: str, report: Mapping[str, Any]) -> None:
    """Send until the hub takes it: it may be restarting, and not know its servers yet."""
    wait = _FIRST_WAIT
    while True:
        try:
            await _post(told, url, report)
        except Exception as error:
            LOG.warning("the hub does not take the report, trying again: %s", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        else:
            return


async def _post(told: Settings, url: str, report: Mapping[str, Any]) -> bytes:
    headers = {"Authorization": f"token {told.token}", "Content-Type": "application/json"}
    request = HTTPRequest(url, "POST", headers, json.dumps(report), request_timeout=_REQUEST_SECONDS)
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        return bytes((await client.fetch(request)).body)
    finally:
        client.close()
