"""The hub's service that stops idle servers: jupyterhub-idle-culler, kept from being fooled by the machine's clock.

JupyterHub notes activity by the time of day. If the clock jumps ahead by a day, everybody looks idle for a day, and a
laptop that slept looks the same. So after a jump nobody is stopped until a whole idle time has passed on a clock
that cannot jump: whoever is really in use has been reported by then.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from collections.abc import Callable

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


async def watch(idle: float, url: str, token: str) -> None:
    """Stop what is idle, over and over, as long as the hub lives. No failure ends it."""
    clock, hub = Clock(idle), os.getppid()
    while True:
        await asyncio.sleep(every(idle))
        if os.getppid() != hub:
            return  # the hub was killed; the next one brings its own
        from jupyterhub_idle_culler import cull_idle  # late: the hub that has just started needs the processor more

        if not clock.is_trusted():
            continue
        try:
            await cull_idle(url=url, api_token=token, inactive_limit=idle, logger=_LOG, cull_named_servers=False)
        except Exception as error:
            _LOG.warning("Idle servers could not be looked for, trying again: %s", error)


def main() -> None:
    """`python -m firstbell.hub.idle SECONDS`, started by the hub with a token in its environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("idle", type=float)
    idle = parser.parse_args().idle
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s idle] %(message)s")
    asyncio.run(watch(idle, os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]))


if __name__ == "__main__":
    main()
