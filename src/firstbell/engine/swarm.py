"""A Docker Swarm, of engines 20.10 or newer: services by its manager, everything else by each node's own daemon."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Self

from firstbell.engine.base import Report, Stage, ignore
from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm_members import Members
from firstbell.engine.swarm_nodes import Nodes
from firstbell.model.container import ContainerSpec, File, NetworkSpec, VolumeSpec
from firstbell.model.image import BuildSpec, Layer
from firstbell.model.observed import (
    ContainerState,
    EngineFacts,
    Event,
    ImageState,
    NetworkState,
    NodeState,
    Observed,
    RunResult,
    Usage,
)
from firstbell.model.registry import Credentials


class SwarmEngine:
    """One Swarm; see `Engine` for what each verb promises, and below for what only a Swarm has.

    `manager` is the daemon of a manager, `nodes` the way to the daemons of the others. Both are closed with it.
    A container that `start` made is a service of one task (`every_node`: of one on each node that is ready); its name
    is the service's. What `run` makes is an ordinary container of one node. Images are those of the manager's daemon.
    """

    def __init__(self, manager: DockerEngine, nodes: Nodes) -> None:
        self._manager = manager
        self._nodes = nodes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._manager.close()
        await self._nodes.close()

    # what only a Swarm has

    @property
    def members(self) -> Members:
        """Who belongs to it."""
        return self._manager.members

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every node, by name, with whether its own daemon answers. Raises EngineUnavailable if the manager is away."""
        raise NotImplementedError

    async def on(self, node: str) -> DockerEngine:
        """A node's own daemon, for its volumes, its images, and helpers there. Raises EngineUnavailable."""
        raise NotImplementedError

    async def everywhere(self, name: str) -> tuple[ContainerState, ...]:
        """The container on each node where it should be, by node; PENDING, UNKNOWN as in `state`."""
        raise NotImplementedError

    async def exec_everywhere(self, name: str, argv: Iterable[str], deadline: float = 60) -> dict[str, RunResult]:
        """Run a command in the container of each node; by node. Raises as `exec` for the first that fails."""
        raise NotImplementedError

    async def pull_on(self, node: str, ref: str, report: Report = ignore) -> ImageState:
        """Have a node pull an image. Raises as `pull`."""
        raise NotImplementedError

    async def ensure_networks_on(self, node: str) -> None:
        """Give a node that has joined later the networks of every course. Raises EngineUnavailable, StartFailed."""
        raise NotImplementedError

    async def label_node(self, node: str, labels: dict[str, str]) -> None:
        """Set labels of a node; an empty value removes one."""
        raise NotImplementedError

    async def set_availability(self, node: str, availability: str) -> None:
        """`active`, `pause` or `drain`, as Docker has it."""
        raise NotImplementedError

    async def remove_node(self, node: str, force: bool = False) -> None:
        """Take a node that is down out of the Swarm's list; nothing to do if it is in none."""
        raise NotImplementedError

    async def sweep(self, course: str, older_than: float = 0) -> int:
        """Remove the course's configs and secrets that no service uses, and say how many; younger ones stay (s)."""
        raise NotImplementedError

    async def facts(self) -> EngineFacts:
        raise NotImplementedError

    async def observe(self, course: str = "") -> Observed:
        raise NotImplementedError

    # containers

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        raise NotImplementedError

    async def stop(self, name: str, grace: int = 10) -> None:
        raise NotImplementedError

    async def state(self, name: str) -> ContainerState:
        raise NotImplementedError

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        raise NotImplementedError

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        raise NotImplementedError

    def logs(
        self, name: str, tail: int = 200, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[str, None]:
        raise NotImplementedError

    async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
        raise NotImplementedError

    def events(self, course: str) -> AsyncGenerator[Event, None]:
        raise NotImplementedError

    # files

    async def put(self, name: str, files: Iterable[File]) -> None:
        raise NotImplementedError

    def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError

    # networks and volumes

    async def ensure_network(self, spec: NetworkSpec) -> NetworkState:
        raise NotImplementedError

    async def remove_network(self, name: str) -> None:
        raise NotImplementedError

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        raise NotImplementedError

    async def remove_volume(self, name: str) -> None:
        raise NotImplementedError

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
