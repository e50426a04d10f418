"""The memory of the machine and of its servers over the term: a row every five minutes.

It is no record of anybody: numbers alone, beside the record and not in its chain. What is damaged begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from firstbell.backup.databases import remove_companions
from firstbell.plan.memory_room import MachineMemory

LOG = logging.getLogger("firstbell.term")

FILE = "samples.sqlite"
EVERY = 300.0
"""Seconds between two rows."""
LOOK = 30.0
"""Seconds between two looks, of which a row has the highest: as often as the servers' memory is measured."""
_PER_DAY = int(24 * 3600 / EVERY)
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS samples (id INTEGER PRIMARY KEY, at REAL NOT NULL, servers INTEGER NOT NULL,"
    " used INTEGER NOT NULL, machine INTEGER NOT NULL, total INTEGER NOT NULL)"
)
_BY_TIME = "CREATE INDEX IF NOT EXISTS samples_by_at ON samples (at)"


@dataclass(frozen=True, slots=True)
class Sample:
    """The most of some minutes. Unix seconds, bytes."""

    at: float
    servers: int
    """That ran."""
    used: int
    """By servers."""
    machine: int
    """In use on the machine, or on all nodes together."""
    total: int


class Sampler:
    """Beside the hub; `memory` and `running` answer from what is in memory anyway."""

    def __init__(
        self,
        path: Path,
        keep_days: int,
        memory: Callable[[], MachineMemory],
        running: Callable[[], int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._keep = path, keep_days * _PER_DAY
        self._memory, self._running, self._now = memory, running, now
        self._most: Sample | None = None
        self._told = ""

    async def run(self) -> None:
        """Look and write until cancelled; no failure ends it."""
        while True:
            for _ in range(int(EVERY / LOOK)):
                self.look()
                await asyncio.sleep(LOOK)
            try:
                await asyncio.to_thread(self.write)
                self._told = ""
            except (sqlite3.Error, OSError) as error:
                if str(error) != self._told:
                    LOG.warning("How much memory is in use could not be kept: %s", error)
                self._told = str(error)

    def look(self) -> None:
        """Once."""
        memory, before = self._memory(), self._most
        now = Sample(self._now(), self._running(), memory.servers_use, memory.total - memory.available, memory.total)
        if before is None:
            self._most = now
        else:
            self._most = Sample(
                now.at,
                max(now.servers, before.servers),
                max(now.used, before.used),
                max(now.machine, before.machine),
                max(now.total, before.total),
            )

    def write(self) -> None:
        """What was seen since the last time. Raises sqlite3.Error: what was seen then counts to the next."""
        if (sample := self._most) is None:
            return
        try:
            add(self._path, sample, self._keep)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            LOG.warning("The samples of memory are damaged (%s) and begin anew", error)
            remove_companions(self._path)
            self._path.unlink(missing_ok=True)
            add(self._path, sample, self._keep)
        self._most = None


def add(path: Path, sample: Sample, most: int) -> None:
    """One more row; of more than `most` the oldest go, whatever the clock says. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(_SCHEMA)
        db.execute(_BY_TIME)
        row = (sample.at, sample.servers, sample.used, sample.machine, sample.total)
        made = db.execute("INSERT INTO samples (at, servers, used, machine, total) VALUES (?, ?, ?, ?, ?)", row)
        db.execute("DELETE FROM samples WHERE id <= ?", ((made.lastrowid or 0) - most,))


def samples(path: Path, begin: float, end: float, most: int) -> tuple[Sample, ...]:
    """Those from then to then; of more than `most`, the highest of each stretch. None where none are kept.

    Raises sqlite3.Error.
    """
    if not path.exists():
        return ()
    stretch = max(EVERY, (end - begin) / most)
    query = (
        "SELECT max(at), max(servers), max(used), max(machine), max(total) FROM samples WHERE at BETWEEN ?1 AND ?2"
        " GROUP BY CAST((at - ?1) / ?3 AS INTEGER) ORDER BY 1"
    )
    with closing(sqlite3.connect(path, timeout=2)) as db:
        return tuple(Sample(*row) for row in db.execute(query, (begin, end, stretch)))
