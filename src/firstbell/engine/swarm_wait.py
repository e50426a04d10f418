"""Waiting for a service's container: woken by its node's own events, and told by the manager what hinders it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

import aiohttp

from firstbell.engine import swarm_failure
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_cluster import Cluster, NodeAway
from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.engine.swarm_read import LABEL_SERVICE_ID, Task
from firstbell.engine.swarm_state import States
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.observed import ContainerState, NodeState, Phase

_UNPLACED = 3.0
"""Seconds for which the scheduler may find no node: a label or state that was just set takes a moment to count."""

_FIRST_LOOK = 0.4
"""Seconds until the manager is asked again, growing: what hinders a start; that it runs its node says by itself."""


class Waiter:
    """Waits for one service after another."""

    def __init__(self, cluster: Cluster, states: States) -> None:
        self._cluster = cluster
        self._states = states

    async def until_runs(self, spec: ContainerSpec, node: NodeState) -> ContainerState:
        """Until it runs, or has run; woken by the node's own events, and by what the manager says of its tasks."""
        deadline = self._cluster.manager.api.change_deadline
        seen: list[Task] = []
        try:
            async with asyncio.timeout(deadline):
                return await self._on_one(spec, node, seen)
        except TimeoutError:
            states = sorted({task.state for task in seen}) or ["new"]
            raise StartFailed(
                f"the Swarm has not started {spec.name} within {deadline:g} seconds; it is still {', '.join(states)}",
                where=spec.name,
                next_step="See `docker service ps` on a manager, and `firstbell nodes list`.",
                evidence=tuple(dict.fromkeys(task.words for task in seen)),
            ) from None

    async def _on_one(self, spec: ContainerSpec, node: NodeState, seen: list[Task]) -> ContainerState:
        begun = asyncio.Event()
        listening = asyncio.ensure_future(self._listen(spec, node, begun))
        try:
            pause, unplaced = _FIRST_LOOK, 0.0
            while True:
                tasks = await self._states.tasks(spec.name)
                if tasks is None:
                    raise StartFailed(
                        f"somebody removed {spec.name} while it started", where=spec.name, next_step="Try again."
                    )
                seen[:] = tasks
                for task in tasks:
                    _check(task, spec, node)
                    if task.container_id:
                        state = await self._states.of_task(task)
                        if state.phase in {Phase.RUNNING, Phase.EXITED, Phase.PAUSED}:
                            return state
                unplaced = unplaced + pause if any(t.state == "pending" and t.error for t in tasks) else 0.0
                if unplaced > _UNPLACED:
                    raise swarm_failure.of_task(tasks[0].words, spec, node.name)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await begun.wait()
                # The manager hears of it a moment later than we do.
                if begun.is_set() and tasks and (there := await self._seen_on(spec, node, tasks[0].service)):
                    return there
                begun.clear()
                pause = min(pause * 1.5, 1.0)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, spec: ContainerSpec, node: NodeState, begun: asyncio.Event) -> None:
        """Set `begun` when a container of that name starts or ends on the node. Best effort: the tasks tell, too."""
        filters = {"type": ["container"], "label": [f"{LABEL_NAME}={spec.name}"], "event": ["start", "die"]}
        with contextlib.suppress(EngineUnavailable, aiohttp.ClientError, OSError, ValueError):
            api = self._cluster.engine(node).api
            async with api.stream("GET", "events", params={"filters": json.dumps(filters)}, deadline=None) as response:
                begun.set()  # it may have begun before we listened
                while await response.content.readline():
                    begun.set()

    async def _seen_on(self, spec: ContainerSpec, node: NodeState, service: str) -> ContainerState | None:
        """The service's container as the node itself has it, if it has been started; not that of an earlier one."""

        async def look(engine: DockerEngine) -> ContainerState | None:
            filters = {"label": [f"{LABEL_SERVICE_ID}={service}"]}
            with understood(spec.name):
                entries = await engine.api.json(
                    "GET", "containers/json", params={"all": 1, "filters": json.dumps(filters)}
                )
                begun = [entry["Id"] for entry in entries if entry["State"] not in {"created", "removing"}]
            return await engine.state(begun[0]) if begun else None

        try:
            found = await self._cluster.ask(node, look)
        except NodeAway:
            return None
        return await self._states.named(found, node) if found and found.phase is not Phase.MISSING else None


class Passing(StartFailed):
    """A node's daemon met trouble of a moment: the same again may well go."""


class NetworkLost(Passing):
    """A node's daemon cannot make the network: another start is making it, or there is a record of an old one."""


_NETWORK_LOST = re.compile(r"network \S+ exists|key modified|networks have same bridge name")
_PASSING = ("device or resource busy", "must be created manually")
"""Engine 20.10 now and then makes the folder of secrets read-only while another start still holds a file of it open;
and a node that has just booted waits for its guard to make the bridge."""
_NEVER_BEGAN = "starting container failed"


def _check(task: Task, spec: ContainerSpec, node: NodeState) -> None:
    """Raises what a task that was refused, or whose container never began, stands for."""
    lost = _NETWORK_LOST.search(task.error)
    if lost or ((task.state == "failed" or task.is_refused) and any(words in task.error for words in _PASSING)):
        raise (NetworkLost if lost else Passing)(
            f"{node.name} could not start {spec.name} at this moment",
            where=spec.name,
            next_step="Try again.",
            evidence=(task.error,),
        )
    if task.is_refused or (task.state == "failed" and task.error.startswith(_NEVER_BEGAN)):
        raise swarm_failure.of_task(task.words, spec, node.name)
