"""Stops idle servers, in the hub's service: jupyterhub-idle-culler, kept from being fooled by the machine's clock.

JupyterHub notes activity by the time of day. If the clock jumps ahead by a day, everybody looks idle for a day, and a
laptop that slept looks the same. So after a jump nobody is stopped until a whole idle time has passed on a clock
that cannot jump: whoever is really in use has been reported by then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

JUMP = 30.0
"""Seconds by which the time of day may drift against the steady clock between two looks without being a jump."""
SETTLING = 120.0
"""Seconds after the hub's start in which nobody is stopped: servers at work report first, what they could not report to
a hub that was away."""
_LOG = logging.getLogger("firstbell.idle")


def every(idle: float) -> float:
    """Seconds between two looks: a tenth of the idle time, within ten seconds and five minutes."""
    return min(300.0, max(10.0, idle / 10))


class Clock:
    """Says whether the time of day can be trusted for an idle time of `idle` seconds."""

    def __init__(
        self, idle: float, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle = idle
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._trusted_from = steady() + min(idle, SETTLING)

    def is_trusted(self) -> bool:
        """Look at both clocks; False from a jump on, for one idle time."""
        now, offset = self._steady(), self._wall() - self._steady()
        if abs(offset - self._offset) > JUMP:
            _LOG.warning(
                "The clock jumped by %.0f s: no server is stopped for idleness in the next %.0f s",
                offset - self._offset,
                self._idle,
            )
            self._trusted_from = now + self._idle
        self._offset = offset
        return now >= self._trusted_from


async def watch(idle: float, url: str, token: str, is_kept: Callable[[str], bool] = lambda _: False) -> None:
    """Stop what is idle, over and over, as long as the hub lives. No failure ends it.

    `is_kept` says of a user name that their server is to be left alone, idle or not: a bell has made it ready.
    """

    def is_to_end(*, inactive: Any, inactive_limit: float, server: dict[str, Any], **_: Any) -> bool:
        user = unquote(server["url"].rstrip("/").rpartition("/")[2])
        return inactive.total_seconds() >= inactive_limit and not is_kept(user)

    clock, hub = Clock(idle), os.getppid()
    while True:
        await asyncio.sleep(every(idle))
        if os.getppid() != hub:
            return  # the hub was killed; the next one brings its own
        from jupyterhub_idle_culler import cull_idle  # late: the hub that has just started needs the processor more

        if not clock.is_trusted():
            continue
        try:
            await cull_idle(
                url=url,
                api_token=token,
                inactive_limit=idle,
                logger=_LOG,
                cull_named_servers=False,
                cull_arbiter=is_to_end,
            )
        except Exception as error:
            _LOG.warning("Idle servers could not be looked for, trying again: %s", error)
