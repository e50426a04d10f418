"""What each server last told of its home: how much it holds, whether it takes more. By user; outlives servers and hub.

Kept in a small file of the hub's state, from which the command line reads, too. It says nothing that servers would not
tell again, so a damaged one, or a disk too full to write it, loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firstbell.plan.home_quota import HomeUse

FILE = "home_uses.json"
WRITE_EVERY = 30.0
"""Seconds between two writes, at least: a class tells every minute."""
_MOST = 2**60


class HomeUses:
    """`path` is the file; None keeps nothing beyond this hub. Who has no home any more is forgotten."""

    def __init__(
        self,
        path: Path | None = None,
        has_home: Callable[[str], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._has_home = has_home
        self._clock = clock
        self._uses = read_home_uses(path) if path else {}
        self._written = float("-inf")

    def take(self, user: str, told: object) -> tuple[HomeUse | None, HomeUse | None]:
        """What the user's server tells: what was known before, and what is now. Nonsense changes nothing."""
        before, use = self._uses.get(user), _use(told, self._uses.get(user))
        if use is None:
            return before, before
        self._uses[user] = use
        if use != before:
            self._write()
        return before, use

    def of(self, user: str) -> HomeUse | None:
        """None where it is not known."""
        return self._uses.get(user)

    def _write(self) -> None:
        if self._path is None or self._clock() - self._written < WRITE_EVERY:
            return
        self._written = self._clock()
        self._uses = {user: use for user, use in self._uses.items() if self._has_home(user)}
        with contextlib.suppress(OSError):
            _write(self._path, self._uses)


def read_home_uses(path: Path) -> dict[str, HomeUse]:
    """By user; empty where there is no such file, or no sense in it."""
    try:
        told = json.loads(path.read_text())
        return {user: HomeUse(**use) for user, use in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def forget_home_use(path: Path, user: str) -> None:
    """From beside the hub, which then forgets it, too, as that home is gone. Raises OSError."""
    uses = read_home_uses(path)
    if uses.pop(user, None):
        _write(path, uses)


def _write(path: Path, uses: Mapping[str, HomeUse]) -> None:
    beside = path.with_suffix(f".{os.getpid()}.part")
    beside.write_text(json.dumps({user: asdict(use) for user, use in uses.items()}))
    beside.replace(path)


def _use(told: object, before: HomeUse | None) -> HomeUse | None:
    if not isinstance(told, Mapping):
        return None
    size, files = _count(told.get("size")), _count(told.get("files"))
    if size is None or files is None:
        # In need and not measured yet: that it is full is what counts.
        known = before or HomeUse(0, 0)
        return HomeUse(known.size, known.files, False, True, True) if told.get("rescue") is True else None
    return HomeUse(size, files, told.get("whole") is not False, told.get("full") is True, told.get("rescue") is True)


def _count(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
    return int(value) if is_number else None
