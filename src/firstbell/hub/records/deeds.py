"""What staff do to somebody's server: recorded before it is done, with how it ended once that is known."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from jupyterhub.spawner import SpawnException
from tornado.web import HTTPError

from firstbell.hub.logins.sessions import stop_servers
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.endings import Ending, ends_by

LOG = logging.getLogger("firstbell.acts")

START, STOP, RESTART, OPEN = "start", "stop", "restart", "open"
WORDS = {START: "Start", STOP: "Stop", RESTART: "Restart", OPEN: "Open"}
TOKEN, SHARE = "token", "share"
"""What only JupyterHub's own API does."""
TOLD = {
    STOP: "stopped your Jupyter. Your files are kept as they were last saved.",
    RESTART: "restarted your Jupyter. Your files are kept as they were last saved.",
    TOKEN: "made a key to your Jupyter, and with it to your files.",
    SHARE: "let others into your Jupyter, and with it to your files.",
}
"""What people read of it, after the name of who did it."""
_LONGEST = 300

_Start = Callable[[Any], Awaitable[Any]]
"""JupyterHub's `spawn_single_user` of the request."""


class Deeds:
    """The acts under way of one hub. What a killed hub left has no result, and its page says so."""

    def __init__(self, acts: ActsBook) -> None:
        self._acts = acts
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, who: str, what: str, user: Any, app: Any, start: _Start) -> None:
        """Record it, then do it beside the request. Raises sqlite3.Error where it cannot be recorded: nothing is done.

        `user` is JupyterHub's, whose server it is about; `what` is START, STOP or RESTART.
        """
        act = self._acts.act(who, what, user.name)
        LOG.info("%s: %s the server of %s", who, what, user.name)
        if what in {STOP, RESTART}:
            ends_by(user.spawner, Ending("stopped", who))
        task = asyncio.create_task(self._carry_out(act, what, user, app, start))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, act: int, what: str, user: Any, app: Any, start: _Start) -> None:
        try:
            if what in {STOP, RESTART}:
                await stop_servers(app, user)
            if what in {START, RESTART}:
                await _started(user, start)
            result = "done"
        except (HTTPError, SpawnException, RuntimeError, OSError, TimeoutError) as error:
            result = f"failed: {words_of(error)}"
        except Exception as error:
            LOG.exception("%s of the server of %s failed", what, user.name)
            result = f"failed: {type(error).__name__}"
        try:
            self._acts.result(act, result)
        except sqlite3.Error as error:
            LOG.error("How act %d ended could not be recorded (%s): %s", act, result, error)  # noqa: TRY400


async def _started(user: Any, start: _Start) -> None:
    """Start the server and wait until it is up. Raises what the start ended with."""
    await start(user)
    future = user.spawner._spawn_future  # noqa: SLF001 - where JupyterHub's own pages look
    if future is not None:
        await asyncio.wait([future])
        if future.cancelled():
            raise RuntimeError("it was stopped before it was up")
        future.result()


def ended(future: asyncio.Future[Any]) -> str:
    """How a start or a stop ended that is over, in words."""
    if future.cancelled():
        return "failed: it was stopped before it was up"
    error = future.exception()
    return f"failed: {words_of(error)}" if error else "done"


def words_of(error: BaseException) -> str:
    """What to say of a failed start or stop, in a line."""
    text = (
        getattr(error, "jupyterhub_message", "")
        or getattr(error, "log_message", "")
        or getattr(error, "reason", "")
        or str(error)
        or type(error).__name__
    )
    return str(text).strip().partition("\n")[0][:_LONGEST]
