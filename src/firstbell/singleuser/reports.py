"""What the server tells the hub by itself: that it is ready, when it was last used, how long it has not been."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random
import time
from datetime import datetime, timezone
from typing import Any, Awaitable, Callable, Mapping

from . import used
from .home_watch import HomeWatch
from .hub import Hub, HubTrouble, Refused
from .settings import Settings

LONGEST_PATH = 300  #: letters of a notebook's path that are told, those at its end
TELL_EVERY = 60.0  #: seconds between reports that tell of another notebook and of nothing else
FIRST_WAIT, LONGEST_WAIT = 0.25, 15.0  #: seconds between tries
SHORTEST_PAUSE = 1.0  #: seconds between two words of use


async def persist(send: Callable[[], Awaitable[None]], log: Any, what: str, tries: int = 0) -> bool:
    """Calls ``send`` until the hub takes it, waiting longer each time; ``tries`` 0 means for ever.

    A hub that answers "no" (4xx) is asked again too: it may be restarting and not know its servers yet. Returns whether
    it was taken. Whatever fails is logged in one line: at the first failure, not at every one.
    """
    wait, count = FIRST_WAIT, 0
    while True:
        try:
            await send()
        except (HubTrouble, Refused) as trouble:
            count += 1
            if count == 1:
                log.warning("firstbell: %s not delivered, trying again: %s", what, trouble)
        else:
            if count:
                log.info("firstbell: %s delivered after %i tries", what, count + 1)
            return True
        if tries and count >= tries:
            return False
        await asyncio.sleep(wait * random.uniform(0.8, 1.2))
        wait = min(wait * 2, LONGEST_WAIT)


async def announce(hub: Hub, settings: Settings, facts: Mapping[str, Any], log: Any) -> None:
    """Tells the hub that this server answers, so that it need not poll; keeps trying in the background."""
    if settings.ready_url:
        report = dict(facts, server_name=settings.server_name, port=settings.port)
        await persist(lambda: hub.post(settings.ready_url, report), log, "readiness")


def last_activity(app: Any, now: datetime) -> datetime:
    """When the server was last used. A cell that runs, and a program in a terminal, is use now."""
    latest: datetime = _aware(app.web_app.last_activity())
    if used.busy(app):
        return now
    for terminal in list(getattr(app.web_app.settings.get("terminal_manager"), "terminals", {}).values()):
        typed = getattr(terminal, "last_activity", None)
        if isinstance(typed, datetime):
            latest = max(latest, _aware(typed))
    return min(latest, now)


async def used_notebook(app: Any) -> str:
    """The path of the notebook whose kernel is busy or was used last, below the server's folder; empty for none."""
    found = await _notebooks(app)
    return max(found)[2][-LONGEST_PATH:] if found else ""


async def _notebooks(app: Any) -> list[tuple[bool, str, str]]:
    """Those whose kernels run: whether it is busy, when it was last used, the path."""
    found = app.session_manager.list_sessions()
    sessions = await found if inspect.isawaitable(found) else found
    return [
        (kernel.get("execution_state") == "busy", str(kernel.get("last_activity", "")), str(session.get("path", "")))
        for session in sessions
        if session.get("type") == "notebook" and isinstance(kernel := session.get("kernel"), dict)
    ]


async def keep_reporting(app: Any, hub: Hub, settings: Settings) -> None:
    """Reports the last activity to the hub, over and over, until cancelled. One failure never ends it."""
    if not settings.activity_url or settings.activity_interval <= 0:
        return
    sent: datetime | None = None
    told, told_at = "", 0.0
    while True:
        try:
            latest = last_activity(app, datetime.now(timezone.utc))
            notebook = await used_notebook(app)
            is_news = notebook != told and time.monotonic() - told_at >= TELL_EVERY
            if sent is None or latest > sent or is_news:
                stamp = latest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                report: dict[str, Any] = {"servers": {settings.server_name: {"last_activity": stamp}}}
                # Told each time there is something to tell anyway: a hub that was replaced knows it again then.
                report.update(last_activity=stamp, notebook=notebook)
                if await persist(lambda: hub.post(settings.activity_url, report), app.log, "activity", tries=8):  # noqa: B023
                    sent, told, told_at = latest, notebook, time.monotonic()
        except Exception:  # an extension's odd activity time, say: the next round is another chance
            app.log.exception("firstbell: activity could not be told")
        # Spread, or all servers of a class that started together would report together for ever.
        await asyncio.sleep(settings.activity_interval * random.uniform(0.9, 1.1))


async def keep_telling_use(
    app: Any, hub: Hub, settings: Settings, watch: used.Watch, home: HomeWatch | None = None
) -> None:
    """Tells the hub how long the server has not been used, whenever the hub wants to know, until cancelled.

    The hub ends an idle server in answer to such a word, and to no other.
    """
    while settings.activity_interval > 0:
        pause = settings.activity_interval
        try:
            paths = [path for _, _, path in sorted(await _notebooks(app), reverse=True)]
            told = used.word(app, watch, paths).as_json()
            if home is not None and (of_home := home.for_hub()):
                told["home"] = of_home
            status, answer = await hub.call("POST", "/companion/use", told)
            wanted = answer.get("next") if status == 200 else None
            if isinstance(wanted, (int, float)) and wanted > 0:
                pause = min(pause, max(SHORTEST_PAUSE, wanted))
        except HubTrouble as trouble:
            pause = min(pause, LONGEST_WAIT)
            app.log.debug("firstbell: use could not be told, trying again: %s", trouble)
        except Exception:  # an extension's odd activity time, say: the next round is another chance
            app.log.exception("firstbell: use could not be told")
        await _until_news(home, pause * random.uniform(1.0, 1.05))


async def _until_news(home: HomeWatch | None, seconds: float) -> None:
    """Or so many seconds."""
    if home is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(home.news.wait(), seconds)
        await asyncio.sleep(SHORTEST_PAUSE)
    home.news.clear()


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
