"""Volumes of a Swarm's nodes: each belongs to one."""

from __future__ import annotations

import json

from firstbell.engine import docker_containers
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_cluster import Cluster, NodeAway
from firstbell.engine.swarm_fill import PROBE
from firstbell.model.observed import NodeState

_DEADLINE = 60.0


async def remove(cluster: Cluster, name: str) -> None:
    """See Engine.remove_volume. Raises NodeAway where no node has it, and one that does not answer may."""

    async def removed(_: NodeState, engine: DockerEngine) -> bool:
        try:
            await engine.api.json("GET", f"volumes/{name}")
        except Answer as answer:
            if answer.status == 404:
                return False
            raise
        await _free(engine, name)
        await engine.remove_volume(name)
        return True

    answers = await cluster.ask_all(removed, _DEADLINE)
    silent = [node for node in await cluster.reachable() if node not in answers]
    if silent and not any(answers.values()):
        raise NodeAway(
            f"the volume {name} is on no node that answers; {silent[0].name} may have it, and does not answer",
            where=silent[0].name,
            next_step=f"Try again when {silent[0].name} is back; `firstbell nodes list` shows when.",
        )


async def _free(engine: DockerEngine, name: str) -> None:
    """Remove helpers of starts that were cut off: they never ran, and hold what they were to fill."""
    filters = json.dumps({"volume": [name], "name": [f"^/{PROBE}"], "status": ["created"]})
    with understood(name):
        for entry in await engine.api.json("GET", "containers/json", params={"all": 1, "filters": filters}):
            await docker_containers.remove(engine.api, entry["Id"])
