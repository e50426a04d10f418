"""The engine of a service of the hub's, rid of the helpers that a killed one has left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from firstbell.engine.base import Engine
from firstbell.engine.cluster import machine_of
from firstbell.engine.connect import connect
from firstbell.errors import FirstbellError
from firstbell.hub.state.places import Places
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState

LOG = logging.getLogger("firstbell.service")
_PAUSE = 2.0
"""Seconds until an engine that does not answer is asked again."""

IsLeft = Callable[[ContainerState], bool]
"""Whether a helper is one that a killed service of the kind can have left."""


@contextlib.asynccontextmanager
async def swept_engine(places: Places, lives: Callable[[], bool], is_left: IsLeft, grace: int) -> AsyncIterator[Engine]:
    """The course's engine, once it answers and what was left has ended (in `grace` seconds), or the hub has ended."""
    runtime = places.read_runtime()
    engine = await connect(runtime.engine_kind, runtime.engine_host)
    try:
        while lives():
            try:
                await sweep(engine, runtime.course, is_left, grace)
                break
            except FirstbellError as error:
                LOG.warning("Waiting for the engine: %s", error.what)
                await asyncio.sleep(_PAUSE)
        yield engine
    finally:
        await engine.close()


async def sweep(engine: Engine, course: str, is_left: IsLeft, grace: int) -> None:
    """End the helpers of a service that was killed: they would be at the same files as those that come now."""
    observed = await engine.observe(course)
    for state in observed.of_role(Role.HELPER):
        if is_left(state):
            machine = await machine_of(engine, state.node)
            await machine.stop(state.name, grace)
