"""How the container of a service is, and where: its newest task, then its node's own daemon."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from firstbell.engine import docker_containers, swarm_read
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_api import Json
from firstbell.engine.swarm_cluster import Cluster, NodeAway, away
from firstbell.engine.swarm_config import LABEL_NAME, service_name
from firstbell.engine.swarm_networks import Networks
from firstbell.engine.swarm_read import Task
from firstbell.engine.waiting import together
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import frozen
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC, PREFIX
from firstbell.model.observed import ContainerState, NodeState, Phase

LABEL_BESIDE = f"{PREFIX}.beside"
"""Of a service without tasks, which is the record of an ordinary container: the id of that container's node."""
_ORDER = (Phase.UNKNOWN, Phase.PENDING, Phase.MISSING, Phase.EXITED, Phase.CREATED, Phase.PAUSED, Phase.RUNNING)
"""Of a service that runs everywhere the worst counts."""


@dataclass(frozen=True, slots=True)
class Place:
    """A container to talk to: the daemon that has it, and what it is called there."""

    engine: DockerEngine
    node: NodeState
    ref: str


class States:
    """Looks for containers on a Swarm."""

    def __init__(self, cluster: Cluster, networks: Networks) -> None:
        self._cluster = cluster
        self._networks = networks

    async def state(self, name: str) -> ContainerState:
        """See Engine.state. UNKNOWN for a container whose node does not answer."""
        try:
            tasks = await self.tasks(name)
        except EngineUnavailable as error:
            return await self._without_manager(name, error)
        if tasks is None:
            return await self.ordinary(name)
        states: list[ContainerState] = await together(*map(self.of_task, tasks))
        if not states:
            return await self._of_service(name)
        return replace(min(states, key=lambda one: _ORDER.index(one.phase)), name=name)

    async def everywhere(self, name: str) -> tuple[ContainerState, ...]:
        """The container of each task, by node."""
        states = await together(*map(self.of_task, await self.tasks(name) or ()))
        return tuple(sorted((replace(one, name=name) for one in states), key=lambda one: one.node))

    async def tasks(self, name: str) -> tuple[Task, ...] | None:
        """The current tasks of a service, the manager's own node's first; None where there is no such service."""
        entries = await self._cluster.api.tasks(service_name(name))
        if entries is None:
            return None
        await self._cluster.known()
        with understood(name):
            own = await self._cluster.own_id()
            tasks = swarm_read.current(map(swarm_read.task, entries))
        wanted = [one for one in tasks if one.counts]
        return tuple(sorted(wanted, key=lambda one: one.node_id != own))

    async def of_task(self, task: Task) -> ContainerState:
        """How a task's container is."""
        node = await self._cluster.by_id(task.node_id) if task.node_id else None
        if node is None:
            if task.node_id and not task.has_ended:
                return swarm_read.unanswered(task, None, "it is in the Swarm's list no more")
            return swarm_read.without_container(task, "")
        if not task.container_id:
            return swarm_read.without_container(task, node.name)
        try:
            found = await self._cluster.ask(node, lambda engine: docker_containers.state(engine.api, task.container_id))
        except NodeAway as error:
            return swarm_read.unanswered(task, node, error.what)
        if found.phase is Phase.MISSING:
            gone = swarm_read.without_container(task, node.name)
            return gone if task.has_ended else replace(gone, phase=Phase.EXITED, error="its container was removed")
        return await self.named(found, node, task.words if task.has_ended else "")

    async def named(self, found: ContainerState, node: NodeState, words: str = "") -> ContainerState:
        """A node's container as ours: by our name, with its node, reached by the tunnel."""
        del words
        return replace(
            found,
            name=found.labels.get(LABEL_NAME, found.name),
            node=node.name,
            address=await self._networks.reached_at(found, node),
        )

    async def _of_service(self, name: str) -> ContainerState:
        """A service without any task: just made, or the record of an ordinary container."""
        service = await self._cluster.api.found(f"services/{service_name(name)}")
        if service is None:
            return ContainerState(name, Phase.MISSING)
        with understood(name):
            return await self.of_record(name, service)

    async def of_record(self, name: str, service: Json) -> ContainerState:
        """The state that a service without tasks stands for."""
        labels = service["Spec"]["Labels"] or {}
        image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        if LABEL_BESIDE not in labels:
            waiting = "no node has been chosen yet"
            return ContainerState(name, Phase.PENDING, image=image, labels=frozen(labels), error=waiting)
        node = await self._cluster.by_id(labels[LABEL_BESIDE])
        if node is None:
            return ContainerState(name, Phase.EXITED, image=image, labels=frozen(labels), error="its node is gone")
        try:
            found = await self._cluster.ask(node, lambda engine: engine.state(name))
        except NodeAway as error:
            return ContainerState(
                name, Phase.UNKNOWN, image=image, labels=frozen(labels), error=error.what, node=node.name
            )
        if found.phase is Phase.MISSING:
            return ContainerState(name, Phase.CREATED, image=image, labels=frozen(labels), node=node.name)
        return as_recorded(await self.named(found, node), labels)

    async def ordinary(self, name: str) -> ContainerState:
        """A container that is no service's: a helper, or one that was here before the Swarm."""
        found = await self._cluster.ask_all(lambda _, engine: engine.state(name))
        for node, state in found.items():
            if state.phase is not Phase.MISSING:
                return await self.named(state, node)
        return ContainerState(name, Phase.MISSING)

    async def _without_manager(self, name: str, error: EngineUnavailable) -> ContainerState:
        """What the nodes know of a container while the Swarm has no leader; `error` where none of them has it."""
        try:
            found = await self._cluster.ask_all(lambda _, engine: _by_label(engine, name))
        except EngineUnavailable:
            raise error from None
        for node, state in found.items():
            if state.phase is Phase.RUNNING:
                return await self.named(state, node)
        raise error

    async def place(self, name: str) -> Place | None:
        """Where a container is; None if there is none. Raises NodeAway where its node does not answer."""
        tasks = await self.tasks(name)
        if tasks is None:
            state = await self.ordinary(name)
        else:
            found = next((one for one in tasks if one.container_id), None)
            if found is not None:
                node = await self._cluster.by_id(found.node_id)
                if node is None:
                    return None
                return Place(self._cluster.engine(node), node, found.container_id)
            state = await self._of_service(name) if not tasks else ContainerState(name, Phase.MISSING)
        node = await self._cluster.by_name(state.node) if state.node else None
        if node is None or state.phase is Phase.MISSING:
            return None
        return Place(self._cluster.engine(node), node, name)

    @contextlib.contextmanager
    def asking(self, place: Place) -> Iterator[None]:
        """What the place's daemon does not answer is said to be that node's, where it is not the manager's."""
        try:
            yield
        except NodeAway:
            raise
        except EngineUnavailable as error:
            if self._cluster.is_own(place.node):
                raise
            raise away(place.node, error.what) from error

    async def running(self, name: str) -> Place:
        """The same. Raises StartFailed if there is none."""
        place = await self.place(name)
        if place is None:
            raise StartFailed(f"{name} does not run", where=name, next_step="See `firstbell status`.")
        return place


async def _by_label(engine: DockerEngine, name: str) -> ContainerState:
    """A service's container, looked for by the label that each of them carries."""
    filters = json.dumps({"label": [f"{LABEL_NAME}={name}"]})
    with understood(name):
        entries = await engine.api.json("GET", "containers/json", params={"filters": filters})
        identity = entries[0]["Id"] if entries else ""
    return await engine.state(identity) if identity else ContainerState(name, Phase.MISSING)


def as_recorded(state: ContainerState, labels: Mapping[str, str]) -> ContainerState:
    """An ordinary container with the specification that its record says it was made from."""
    return replace(state, labels=frozen({**state.labels, LABEL_SPEC: labels.get(LABEL_SPEC, "")}))


def is_ours(service: Json, course: str) -> bool:
    """Whether we made a service, for that course."""
    labels = service["Spec"].get("Labels") or {}
    return LABEL_SPEC in labels and labels.get(LABEL_COURSE, "") == course
