"""Retention by day, and by a clock that can be trusted: a machine that begins with a wrong year empties no record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from firstbell.hub.records.keep import retire
from firstbell.hub.records.record import Record

LOG = logging.getLogger("firstbell.acts")

EVERY = 24 * 3600.0
"""Seconds between two looks."""
LONGEST_PAUSE = 31 * 24 * 3600.0
"""Seconds for which a course may rest before the clock of the first look after it needs a day to be believed."""
_JUMP = 3600.0
_DAY = 24 * 3600.0


class Days:
    """What is older than so many days leaves, and the log keeps the head of what stays."""

    def __init__(self, keep: int, now: Callable[[], float], steady: Callable[[], float] = time.monotonic) -> None:
        self._keep, self._now, self._steady = keep, now, steady
        self._next = float("-inf")
        self._offset: float | None = None

    def look_if_due(self, record: Record) -> int:
        """How many entries left. Raises sqlite3.Error; the next look is a day later all the same."""
        if self._steady() < self._next:
            return 0
        self._next = self._steady() + EVERY
        if not self._is_trusted(record):
            LOG.warning("The clock is far from the record's last entry: nothing is taken out of it before tomorrow")
            return 0
        gone = retire(record, self._now() - self._keep * _DAY)
        if gone:
            LOG.info("%d entries are older than %d days and no longer in the record", gone, self._keep)
        last, own = record.head
        LOG.info("The record's head is %d:%s", last, own.hex())
        return gone

    def _is_trusted(self, record: Record) -> bool:
        """Whether the time of day has gone on evenly since the last look, or is near that of the last entry."""
        offset, before = self._now() - self._steady(), self._offset
        self._offset = offset
        if before is not None:
            return abs(offset - before) <= _JUMP
        (newest,) = record.db.execute("SELECT at FROM entries ORDER BY id DESC LIMIT 1").fetchone() or (0.0,)
        return self._now() - newest <= LONGEST_PAUSE
