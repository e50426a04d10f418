"""A service of one container on every node that is ready: made, or changed where it is, and waited for.

It is changed in place, not replaced: what runs everywhere is what nodes are reached by. And a node on which it cannot
run takes nothing away from the others.
"""

from __future__ import annotations

import asyncio
from typing import Any

from firstbell.engine import swarm_failure
from firstbell.engine.swarm_api import Json
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import course_of, service_name
from firstbell.engine.swarm_read import Task
from firstbell.engine.swarm_state import States, is_ours
from firstbell.errors import StartFailed
from firstbell.model.container import ContainerSpec, Restart
from firstbell.model.names import LABEL_SPEC
from firstbell.model.observed import ContainerState, NodeState

_PATIENCE = 60.0
"""Seconds in which every node must have it."""
_AGAIN = 8.0
"""Seconds for which a node may fail to start it: the Swarm tries again each second, and trouble may pass."""
_POLL = 0.2


async def start(
    cluster: Cluster, states: States, spec: ContainerSpec, body: dict[str, Any], nodes: tuple[NodeState, ...]
) -> ContainerState:
    """Have `body` run on `nodes`. Raises StartFailed that names those on which it does not; on the others it does."""
    path = f"services/{service_name(spec.name)}"
    service = await cluster.api.found(path)
    # All at once: one after the other, a node would be without it for as long, and the last would wait for all.
    body |= {"UpdateConfig": {"Parallelism": 0, "FailureAction": "continue", "Order": "stop-first"}}
    if service is None:
        await cluster.api.json("POST", "services/create", body=body, repeat=False)
    elif not is_ours(service, course_of(spec)):
        raise swarm_failure.foreign(spec.name)
    elif _hash_of(service) != spec.spec_hash:
        await cluster.api.update(path, lambda found: (found.clear(), found.update(body)))
    if failed := await _wait(states, spec, nodes):
        words = next(iter(failed.values()))
        raise StartFailed(
            f"{spec.name} does not run on {', '.join(sorted(failed))}: {words}",
            where=spec.name,
            next_step="`firstbell nodes list` shows how its nodes are; `firstbell nodes prepare` repairs one. "
            "Then run the command again.",
        )
    return await states.state(spec.name)


def _hash_of(service: Json) -> str:
    return str((service["Spec"].get("Labels") or {}).get(LABEL_SPEC, ""))


async def _wait(states: States, spec: ContainerSpec, nodes: tuple[NodeState, ...]) -> dict[str, str]:
    """The nodes that do not have it in the end, and why."""
    clock = asyncio.get_running_loop().time
    began, refused_since = clock(), dict[str, float]()
    while True:
        tasks = {task.node_id: task for task in await states.tasks(spec.name) or () if _is_new(task, spec)}
        missing: dict[str, str] = {}
        waiting = False
        for node in nodes:
            task = tasks.get(node.id)
            if task and (task.state == "running" or _is_over(task, spec)):
                refused_since.pop(node.name, None)
                continue
            missing[node.name] = task.words if task else "the Swarm has not given it to the node"
            since = refused_since.setdefault(node.name, clock()) if task and task.has_ended else None
            lasting = bool(task and "no such image" in task.words.lower())
            waiting |= not lasting and (since is None or clock() - since < _AGAIN)
        if not waiting or clock() - began > _PATIENCE:
            return missing
        await asyncio.sleep(_POLL)


def _is_new(task: Task, spec: ContainerSpec) -> bool:
    return task.labels.get(LABEL_SPEC) == spec.spec_hash


def _is_over(task: Task, spec: ContainerSpec) -> bool:
    """Whether it has run, and nobody starts it again."""
    return task.has_ended and not task.is_refused and spec.restart is Restart.NO
