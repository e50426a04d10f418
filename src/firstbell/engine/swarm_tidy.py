"""Removes what starts have left that no service uses, now and then, never in a start's way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from datetime import datetime

from firstbell.engine import docker_containers
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import LABEL_FILES
from firstbell.engine.swarm_files import FileStore
from firstbell.engine.swarm_fill import PROBE
from firstbell.errors import EngineUnavailable
from firstbell.model.observed import NodeState

_PAUSE = 30.0
"""Seconds from a stop to a sweep: many stops at once need one."""
_YOUNG = 600.0
"""Seconds: longer than a start takes from its first file to its service."""
_DEADLINE = 30.0


class Tidier:
    """Sweeps in the background, and when told to."""

    def __init__(self, cluster: Cluster, files: FileStore) -> None:
        self._cluster = cluster
        self._files = files
        self._task: asyncio.Task[None] | None = None

    def soon(self) -> None:
        """Something was stopped."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._later())

    async def close(self) -> None:
        """No more of it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _later(self) -> None:
        await asyncio.sleep(_PAUSE)
        with contextlib.suppress(EngineUnavailable):
            await self.sweep("", _YOUNG)

    async def sweep(self, course: str, older_than: float) -> int:
        """See SwarmEngine.sweep."""
        removed = await self._files.sweep(course, older_than)
        label = f"{LABEL_FILES}={course}" if course else LABEL_FILES

        async def look(_: NodeState, engine: DockerEngine) -> int:
            return await _sweep_node(engine, label, older_than)

        return removed + sum((await self._cluster.ask_all(look, _DEADLINE)).values())


async def _sweep_node(engine: DockerEngine, label: str, older_than: float) -> int:
    """Helpers of killed starts, then volumes with programs that no container uses."""
    filters = json.dumps({"label": [label]})
    removed = 0
    with understood("sweep"):
        for entry in await engine.api.json("GET", "containers/json", params={"all": 1, "filters": filters}):
            is_helper = entry["Names"][0].startswith(f"/{PROBE}")
            if is_helper and entry["Created"] < time.time() - max(older_than, 60):
                await docker_containers.remove(engine.api, entry["Id"])
        for entry in (await engine.api.json("GET", "volumes", params={"filters": filters}))["Volumes"] or ():
            if time.time() - datetime.fromisoformat(entry["CreatedAt"]).timestamp() < older_than:
                continue
            try:
                await engine.api.json("DELETE", f"volumes/{entry['Name']}")
                removed += 1
            except Answer as answer:
                if answer.status not in {404, 409}:
                    raise
    return removed
