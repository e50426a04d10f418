"""A Docker Swarm, of engines 20.10 or newer: services by its manager, everything else by each node's own daemon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Self
from weakref import WeakValueDictionary

from firstbell.engine import swarm_events, swarm_observe, swarm_read, swarm_usage, swarm_volumes
from firstbell.engine.base import Report, Stage, ignore
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_api import is_missing
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_files import FileStore
from firstbell.engine.swarm_fill import Filler
from firstbell.engine.swarm_members import Members
from firstbell.engine.swarm_networks import Networks
from firstbell.engine.swarm_nodes import Nodes
from firstbell.engine.swarm_services import Services
from firstbell.engine.swarm_state import States
from firstbell.engine.swarm_tidy import Tidier
from firstbell.engine.waiting import together
from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.model.container import ContainerSpec, File, NetworkSpec, VolumeSpec
from firstbell.model.image import BuildSpec, Layer
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    EngineFacts,
    Event,
    ImageState,
    NetworkState,
    NodeState,
    Observed,
    Phase,
    RunResult,
    Usage,
)
from firstbell.model.registry import Credentials

_VOLUME_DEADLINE = 30.0
"""Seconds for a node to make a volume."""


class SwarmEngine:
    """One Swarm; see `Engine` for what each verb promises, and below for what only a Swarm has.

    `manager` is the daemon of a manager, `nodes` the way to the daemons of the others. Both are closed with it.
    A container that `start` made is a service of one task (`every_node`: of one on each node that is ready); its name
    is the service's. What `run` makes is an ordinary container of one node. Images are those of the manager's daemon.
    """

    def __init__(self, manager: DockerEngine, nodes: Nodes) -> None:
        self._manager = manager
        self._cluster = Cluster(manager, nodes)
        self._networks = Networks(self._cluster)
        self._states = States(self._cluster, self._networks)
        self._files = FileStore(self._cluster.api)
        self._services = Services(self._cluster, self._states, self._networks, self._files, Filler(self._cluster))
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tidier = Tidier(self._cluster, self._files)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._tidier.close()
        await self._cluster.close()

    # what only a Swarm has

    @property
    def members(self) -> Members:
        """Who belongs to it."""
        return self._manager.members

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every node, by name, with whether its own daemon answers. Raises EngineUnavailable if the manager is away."""
        self._cluster.forget()
        return await self._cluster.nodes()

    async def on(self, node: str) -> DockerEngine:
        """A node's own daemon, for its volumes, its images, and helpers there. Raises EngineUnavailable."""
        return self._cluster.engine(await self._node(node))

    async def everywhere(self, name: str) -> tuple[ContainerState, ...]:
        """The container on each node where it should be, by node; PENDING, UNKNOWN as in `state`."""
        return await self._states.everywhere(name)

    async def exec_everywhere(self, name: str, argv: Iterable[str], deadline: float = 60) -> dict[str, RunResult]:
        """Run a command in the container of each node; by node. Raises as `exec` for the first that fails."""
        words = list(argv)
        running = [state for state in await self.everywhere(name) if state.phase is Phase.RUNNING]

        async def one(state: ContainerState) -> RunResult:
            return await (await self.on(state.node)).exec(state.id, words, deadline=deadline)

        return dict(zip([state.node for state in running], await together(*map(one, running)), strict=True))

    async def pull_on(self, node: str, ref: str, report: Report = ignore) -> ImageState:
        """Have a node pull an image. Raises as `pull`."""
        return await (await self.on(node)).pull(ref, report)

    async def ensure_networks_on(self, node: str) -> None:
        """Give a node that has joined later the networks of every course. Raises EngineUnavailable, StartFailed."""
        await self._networks.ensure_on(await self._node(node))

    async def label_node(self, node: str, labels: dict[str, str]) -> None:
        """Set labels of a node; an empty value removes one."""

        def change(spec: dict[str, Any]) -> None:
            merged = {**(spec.get("Labels") or {}), **labels}
            spec["Labels"] = {key: value for key, value in merged.items() if value}

        await self._change_node(node, change)

    async def set_availability(self, node: str, availability: str) -> None:
        """`active`, `pause` or `drain`, as Docker has it."""

        def change(spec: dict[str, Any]) -> None:
            spec["Availability"] = availability

        await self._change_node(node, change)

    async def is_busy(self, node: str) -> bool:
        """Whether a task has not ended on a node, as that has told the manager last."""
        tasks = await self._cluster.api.listed("tasks", node=[(await self._node(node)).id])
        with understood(node):
            return any(not swarm_read.task(task).has_ended for task in tasks)

    async def remove_node(self, node: str, force: bool = False) -> None:
        """Take a node that is down out of the Swarm's list; nothing to do if it is in none."""
        self._cluster.forget()
        found = await self._cluster.by_name(node)
        if found is None:
            return
        try:
            await self._cluster.api.json("DELETE", f"nodes/{found.id}", params={"force": int(force)})
        except Answer as answer:
            if is_missing(answer):
                return
            raise FirstbellError(
                f"the node {node} cannot be taken out of the Swarm",
                where=node,
                next_step="Stop its engine, or let it leave with `docker swarm leave`, then try again.",
                evidence=(answer.message,),
            ) from answer
        finally:
            self._cluster.forget()

    async def set_patience(self, seconds: int) -> None:
        """For how long, about, a node may be cut off before the Swarm gives up its containers.

        Swarm ends what runs on a node that it has not heard of for three heartbeats, as soon as it is back.
        """
        period = max(5, seconds // 3) * 10**9

        def change(spec: dict[str, Any]) -> None:
            spec["Dispatcher"] = {**(spec.get("Dispatcher") or {}), "HeartbeatPeriod": period}

        found = await self._cluster.api.json("GET", "swarm")
        if ((found["Spec"].get("Dispatcher") or {}).get("HeartbeatPeriod") or 0) != period:
            await self._cluster.api.update("swarm", change)

    async def sweep(self, course: str, older_than: float = 0) -> int:
        """Remove the course's configs, secrets and program volumes that no service uses, if they are older (seconds).

        Says how many.
        """
        return await self._tidier.sweep(course, older_than)

    async def _change_node(self, node: str, change: Callable[[dict[str, Any]], None]) -> None:
        await self._cluster.api.update(f"nodes/{(await self._node(node)).id}", change)
        self._cluster.forget()

    async def _node(self, name: str) -> NodeState:
        found = await self._cluster.by_name(name)
        if found is None:
            self._cluster.forget()
            found = await self._cluster.by_name(name)
        if found is None:
            raise EngineUnavailable(
                f"the Swarm has no node called {name}", where=name, next_step="`docker node ls` shows the nodes."
            )
        return found

    # as of every engine

    async def facts(self) -> EngineFacts:
        return await swarm_observe.facts(self._cluster)

    async def observe(self, course: str = "") -> Observed:
        return await swarm_observe.observe(self._cluster, self._states, course)

    # containers

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        async with self._alone(spec.name):
            return await self._services.start(spec, stage)

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        """A task takes its standard input from nobody, and its name from its service."""
        del name, spec
        return False

    async def stop(self, name: str, grace: int = 10) -> None:
        await self._services.stop(name, grace)
        self._tidier.soon()

    async def set_aside(self, name: str, aside: str, grace: int = 10) -> None:  # noqa: ARG002 - the contract's
        raise _no_aside(name)

    async def bring_back(self, aside: str, name: str) -> None:  # noqa: ARG002 - the contract's
        raise _no_aside(name)

    async def state(self, name: str) -> ContainerState:
        return await self._states.state(name)

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        node = await self._services.node_for(spec)
        return await self._cluster.engine(node).run(spec, stdin, deadline)

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        place = await self._states.running(name)
        with self._states.asking(place):
            return await place.engine.exec(place.ref, argv, stdin, deadline)

    async def logs(
        self, name: str, tail: int = 200, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[str, None]:
        place = await self._states.place(name)
        if place is None:
            return
        with self._states.asking(place):
            async with contextlib.aclosing(place.engine.logs(place.ref, tail, follow, timestamps)) as lines:
                async for line in lines:
                    yield line

    async def limit(self, name: str, memory: int) -> bool:  # noqa: ARG002 - the contract's
        """A task keeps its limits: a changed service would be a new task, and an end of what runs."""
        return False

    async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
        return await swarm_usage.usage(self._cluster, frozenset(names))

    async def disk_use(self) -> tuple[DiskUse, ...]:
        return await self._cluster.manager.disk_use()

    def events(self, course: str) -> AsyncGenerator[Event, None]:
        return swarm_events.events(self._cluster, course)

    # files

    async def put(self, name: str, files: Iterable[File]) -> None:
        place = await self._states.running(name)
        with self._states.asking(place):
            await place.engine.put(place.ref, files)

    async def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        place = await self._states.place(name)
        if place is None:
            raise FileNotFoundError(f"{name}:{path}: there is no such container")
        with self._states.asking(place):
            async with contextlib.aclosing(place.engine.get(place.ref, path)) as chunks:
                async for chunk in chunks:
                    yield chunk

    # networks and volumes

    async def ensure_network(self, spec: NetworkSpec) -> NetworkState:
        return await self._networks.ensure(spec)

    async def remove_network(self, name: str) -> None:
        await self._networks.remove(name)

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        if not spec.node:
            return await self._manager.ensure_volume(spec)
        return await self._cluster.ask(
            await self._node(spec.node), lambda engine: engine.ensure_volume(spec), _VOLUME_DEADLINE
        )

    async def remove_volume(self, name: str) -> None:
        """Of every node that answers. Raises NodeAway where none has it, as one that is away may."""
        await swarm_volumes.remove(self._cluster, name)

    # images: those of the manager's daemon

    async def read_image_files(self, image: str, paths: Iterable[str]) -> dict[str, bytes]:
        return await self._manager.read_image_files(image, paths)

    async def image(self, ref: str) -> ImageState | None:
        return await self._manager.image(ref)

    async def pull(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> ImageState:
        return await self._manager.pull(ref, report, credentials)

    async def push(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> str:
        return await self._manager.push(ref, report, credentials)

    async def tag(self, ref: str, new: str) -> None:
        await self._manager.tag(ref, new)

    def save(self, refs: Iterable[str]) -> AsyncGenerator[bytes, None]:
        return self._manager.save(refs)

    async def load(self, chunks: AsyncIterator[bytes], report: Report = ignore) -> tuple[str, ...]:
        return await self._manager.load(chunks, report)

    async def history(self, ref: str) -> tuple[Layer, ...]:
        return await self._manager.history(ref)

    async def build(self, spec: BuildSpec, report: Report = ignore) -> ImageState:
        return await self._manager.build(spec, report)

    async def import_image(self, ref: str, tar: AsyncIterator[bytes], report: Report = ignore) -> ImageState:
        return await self._manager.import_image(ref, tar, report)

    async def remove_image(self, ref: str) -> None:
        await self._manager.remove_image(ref)

    @contextlib.asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        """One start at a time per name, so that two of ours never take each other's service for an orphan."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield


def _no_aside(name: str) -> FirstbellError:
    # A service has one name for good, and its containers are the Swarm's to remove.
    return FirstbellError(
        f"{name} is a service of a Swarm, which cannot be kept stopped", where=name, next_step="Use: firstbell up"
    )
