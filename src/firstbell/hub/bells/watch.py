"""The hub's own part in bells: it measures what forecasts need, and says in its log which bell cannot be met."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

from firstbell.errors import EngineUnavailable
from firstbell.hub.bells.hub import ApiHub, People, cluster_now
from firstbell.hub.bells.report import IMAGE_MISSING, SERVER_USE, Reporter
from firstbell.hub.context import HubContext
from firstbell.hub.state.hub_tables import database_of
from firstbell.plan.bell_report import BellReport, new_warnings, warning_mark

LOG = logging.getLogger("firstbell.bells")
EVERY = 60.0
"""Seconds between two looks."""
_DEADLINE = 15.0


def reporter(context: HubContext, state: Path) -> Reporter:
    """The reporter of this hub; its database and book are asked as every other process asks them."""
    hub = ApiHub("", "", database_of(context.course, state))
    people = People(context.course, context.store)
    return Reporter(context.course, context.runtime, context.bells, people, hub.servers, partial(cluster_now, state))


class BellWatch:
    """A task beside the hub."""

    def __init__(self, context: HubContext, state: Path) -> None:
        self._context = context
        self._reporter = reporter(context, state)
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look now and then until cancelled. No failure ends it."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, TimeoutError) as error:
                LOG.debug("Whether bells can be met is not known at present: %s", error)
            except Exception:
                LOG.exception("Looking whether bells can be met failed, trying again")
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Measure, then say what is new. Raises EngineUnavailable."""
        await self._measure()
        if self._context.course.bells or self._context.bells.active():
            self._say(self._reporter.report())

    async def _measure(self) -> None:
        book, memory = self._context.bells, self._context.machine.memory()
        if memory.servers:
            _keep(book, SERVER_USE, round(memory.servers_use / memory.servers))
        _keep(book, IMAGE_MISSING, int(not await self._has_image()))

    async def _has_image(self) -> bool:
        """Of a cluster: whether any node has it that can be used."""
        cluster = self._context.cluster
        if cluster and cluster.images.have is not None:
            return bool(cluster.images.have)
        async with asyncio.timeout(_DEADLINE):
            return await self._context.engine.image(self._context.runtime.image) is not None

    def _say(self, report: BellReport) -> None:
        for line in new_warnings(report, self._told):
            of = f"{line.ready} of {line.wanted}"
            LOG.warning("The bell %s of %s cannot be met, %s: %s", line.bell, line.local, of, line.words)
        self._told = {warning_mark(line) for line in report.warnings}


def _keep(book: Any, name: str, value: float) -> None:
    """Write only what is new: a calm hub writes nothing."""
    if book.kept(name, -1.0) != value:
        book.keep(name, value)
