"""The page on which somebody waits for their server; it tells the hub that it is there, and that it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from jupyterhub.apihandlers.users import SpawnProgressAPIHandler
from jupyterhub.handlers.pages import SpawnPendingHandler

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.logins.handover import hand_over
from firstbell.hub.pages.shared import Page, Route

LOG = logging.getLogger("firstbell.waiting")

LOOK_EVERY = 1.0
"""Seconds between two looks for those who have left."""


class WaitingPage(SpawnPendingHandler, Page):
    """`/hub/spawn-pending/USER`: as JupyterHub's. Whoever comes back to a start that was given up queues anew."""

    async def get(self, user_name: str, server_name: str = "") -> None:
        user = self.current_user
        if user is not None and user.name == user_name and not server_name:
            # They wait for it from now on, whoever asked for it.
            self.firstbell.queue.promote(user_name)
            self.firstbell.presence.seen(user_name)
            if getattr(user.spawner, "gave_up", False):
                self.redirect(self.with_next(self.hub_url("spawn")))
                return
            hand_over(self, user)
        await super().get(user_name, server_name)


class Progress(SpawnProgressAPIHandler):
    """The stream that the page follows; as long as it is open somebody is there."""

    _closed: Callable[[], None] | None = None

    async def get(self, user_name: str, server_name: str = "") -> None:
        context: HubContext = self.settings[SETTING]
        user: Any = self.current_user
        if getattr(user, "name", "") == user_name:
            self._closed = context.presence.opened(user_name)
        await super().get(user_name, server_name)

    def on_connection_close(self) -> None:
        self._end()
        super().on_connection_close()

    def on_finish(self) -> None:
        self._end()
        super().on_finish()

    def _end(self) -> None:
        if self._closed is not None:
            self._closed()


class Leave(Page):
    """`/hub/spawn-pending/leave`: sent by the waiting page as it closes."""

    async def post(self) -> None:
        """The place is given up in some seconds, unless the page comes back."""
        if self.current_user is not None:
            self.firstbell.presence.left(self.current_user.name)
        self.set_status(204)


async def give_up_the_left(context: HubContext) -> None:
    """End, until cancelled, the starts that wait for their turn and for which nobody waits any more."""
    while True:
        for user in context.presence.gone():
            context.queue.give_up(user)
        await asyncio.sleep(LOOK_EVERY)


def waiting_handlers() -> list[Route]:
    """Routes under the hub's prefix; before JupyterHub's own of the same paths."""
    return [
        (r"/firstbell/leave", Leave),
        (r"/spawn-pending/([^/]+)", WaitingPage),
        (r"/api/users/([^/]+)/server/progress", Progress),
    ]
