"""The end of a container on a Swarm: its service goes at once, then its node ends and removes it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from firstbell.engine import swarm_failure
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_api import Json, is_missing
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import course_of, service_name
from firstbell.engine.swarm_read import LABEL_SERVICE_ID
from firstbell.engine.swarm_state import LABEL_BESIDE, is_ours
from firstbell.engine.waiting import together
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.names import LABEL_SPEC
from firstbell.model.observed import ContainerState, NodeState, Phase

_GONE = 20.0
"""Seconds, beyond the grace, for a node to remove a container."""


class NameTaken(StartFailed):
    """Somebody else made a service of the name after we had looked."""

    def __init__(self, name: str, *evidence: str) -> None:
        super().__init__(
            f"another command is starting {name}",
            where=name,
            next_step="Wait for it, then try again.",
            evidence=evidence,
        )


class Removal:
    """Stops what runs, and clears away what a start left."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def stop(self, name: str, grace: int) -> None:
        """See Engine.stop. The service goes at once; raises NodeAway where its node has not yet ended its container."""
        service = await self._cluster.api.found(f"services/{service_name(name)}")
        if service is None:
            await self._cluster.ask_all(lambda _, engine: engine.stop(name, grace), grace + _GONE)
            return
        await self.remove(name, service, grace)

    async def remove(self, name: str, service: Json, grace: int) -> None:
        """Remove a service, then wait for the end of its containers."""
        with understood(name):
            identity = service["ID"]
            beside = (service["Spec"].get("Labels") or {}).get(LABEL_BESIDE, "")
            tasks = await self._cluster.api.tasks(identity) or ()
            ids = {str(task["NodeID"]) for task in tasks if task.get("NodeID")} | ({beside} if beside else set())
        try:
            await self._cluster.api.json("DELETE", f"services/{identity}")
        except Answer as answer:
            if not is_missing(answer):
                raise
        nodes = [node for node in [await self._cluster.by_id(one) for one in ids] if node is not None]
        left = await asyncio.gather(
            *(self._clear(node, name if beside else "", identity, grace) for node in nodes), return_exceptions=True
        )
        for error in left:
            if isinstance(error, BaseException):
                raise error

    async def _clear(self, node: NodeState, beside: str, service: str, grace: int) -> None:
        """Wait for the end of a service's containers on a node, and remove them."""

        async def cleared(engine: DockerEngine) -> bool:
            if beside:
                await engine.stop(beside, grace)
                return True
            filters = json.dumps({"label": [f"{LABEL_SERVICE_ID}={service}"]})
            with understood(service):
                params: dict[str, Any] = {"all": 1, "filters": filters}
                entries = await engine.api.json("GET", "containers/json", params=params)
                await together(*(engine.stop(entry["Id"], grace) for entry in entries))
            return True

        await self._cluster.ask(node, cleared, grace + _GONE)

    async def make_way(self, spec: ContainerSpec, found: ContainerState) -> None:
        """Remove what has the name: an orphan, or an older form.

        Raises StartFailed if it is not ours, NameTaken for what was not there when `found` was looked for.
        """
        if found.phase is Phase.UNKNOWN:
            raise EngineUnavailable(
                found.error, where=spec.name, next_step="`firstbell nodes list` shows when the node is back."
            )
        service = await self._cluster.api.found(f"services/{service_name(spec.name)}")
        if service is not None:
            with understood(spec.name):
                if not is_ours(service, course_of(spec)):
                    raise swarm_failure.foreign(spec.name)
            if found.phase is Phase.MISSING:
                raise NameTaken(spec.name)
            await self.remove(spec.name, service, 0)
        elif found.phase is not Phase.MISSING:
            if LABEL_SPEC not in found.labels:
                raise swarm_failure.foreign(spec.name, "container")
            await self.stop(spec.name, 0)

    async def discard(self, spec: ContainerSpec) -> None:
        """Remove what a failed start has made; if the manager is away, the next start of the name will."""
        with contextlib.suppress(EngineUnavailable):
            service = await self._cluster.api.found(f"services/{service_name(spec.name)}")
            if service is not None and (service["Spec"].get("Labels") or {}).get(LABEL_SPEC) == spec.spec_hash:
                await self.remove(spec.name, service, 0)
