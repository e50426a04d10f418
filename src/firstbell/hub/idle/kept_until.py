"""Until when people wanted their servers kept: what outlives a hub's restart.

Written with the steady clock and with the time of day. The clock counts on the same machine since its last start, so
that a time of day that jumps ends nobody sooner; a hub elsewhere, or after a start, has the time of day alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

NAME = "kept until"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Kept(Protocol):
    """Where texts are kept: the hub's PeopleStore."""

    def kept(self, name: str) -> str | None:
        """The text of that name."""
        ...

    def keep(self, name: str, value: str) -> None:
        """Keep one."""
        ...


class KeptUntil:
    """By user. A text that is not as it should be is nothing."""

    def __init__(
        self,
        store: Kept,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        boot: str | None = None,
    ) -> None:
        self._store, self._clock, self._wall = store, clock, wall
        self._boot = _boot_id() if boot is None else boot
        self._until: dict[str, float] | None = None

    def until(self, user: str) -> float:
        """On the steady clock; 0 for nobody's wish."""
        return self._read().get(user, 0.0)

    def note(self, user: str, seconds: float) -> None:
        """They want it that long from now on; 0 is no longer."""
        now = self._clock()
        known = {name: until for name, until in self._read().items() if until > now and name != user}
        self._until = known | ({user: now + seconds} if seconds > 0 else {})
        wall = self._wall() - now
        told = {name: [self._boot, until, until + wall] for name, until in self._until.items()}
        self._store.keep(NAME, json.dumps(told))

    def _read(self) -> dict[str, float]:
        if self._until is None:
            try:
                told = json.loads(self._store.kept(NAME) or "{}")
                self._until = {str(name): self._moment(*of) for name, of in told.items()}
            except (ValueError, TypeError, AttributeError):
                self._until = {}
        return self._until

    def _moment(self, boot: str, steady: float, wall: float) -> float:
        is_same = bool(boot) and boot == self._boot
        return float(steady) if is_same else self._clock() + float(wall) - self._wall()


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
