"""What containers use, asked of the nodes that have them."""

from __future__ import annotations

import json
from dataclasses import replace

from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.model.names import LABEL_SPEC
from firstbell.model.observed import NodeState, Usage

_DEADLINE = 10.0


async def usage(cluster: Cluster, names: frozenset[str]) -> tuple[Usage, ...]:
    """See Engine.usage; those of nodes that do not answer are left out."""
    await cluster.known()

    async def look(_: NodeState, engine: DockerEngine) -> tuple[Usage, ...]:
        filters = {"label": [LABEL_SPEC], "status": ["running"]}
        with understood("usage"):
            entries = await engine.api.json("GET", "containers/json", params={"filters": json.dumps(filters)})
            called = {e["Id"]: (e.get("Labels") or {}).get(LABEL_NAME, e["Names"][0].lstrip("/")) for e in entries}
        wanted = {identity: name for identity, name in called.items() if name in names}
        return tuple(replace(found, name=wanted[found.name]) for found in await engine.usage(wanted))

    answers = await cluster.ask_all(look, _DEADLINE)
    return tuple(found for answer in answers.values() for found in answer)
