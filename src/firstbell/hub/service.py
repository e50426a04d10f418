"""What the hub's own services have in common, the programs that it starts beside itself: they end with it.

The next hub brings its own. Little is imported here: a service that needs no engine (`bells/keeper.py`) stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any


def serve(name: str, work: Coroutine[Any, Any, None], nice: int = 0) -> None:
    """Do a service's work in this process; its lines in the hub's log bear the name. `nice` gives way to the hub's."""
    with contextlib.suppress(OSError):
        os.nice(nice)
    logging.basicConfig(level=logging.INFO, format=f"[%(levelname).1s %(asctime)s {name}] %(message)s")
    asyncio.run(work)


def hub_lives() -> Callable[[], bool]:
    """Says whether the hub that started this process still is."""
    hub = os.getppid()
    return lambda: os.getppid() == hub
