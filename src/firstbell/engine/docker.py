"""The Docker Engine, 20.10 or newer, by its HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

from firstbell.engine import (
    docker_aside,
    docker_containers,
    docker_images,
    docker_observe,
    docker_resources,
    docker_share,
    docker_streams,
)
from firstbell.engine.base import Report, Stage, ignore
from firstbell.engine.docker_api import READ_DEADLINE, Api, Connect
from firstbell.engine.docker_build import Builder
from firstbell.engine.docker_standby import Standbys
from firstbell.engine.swarm_members import Members
from firstbell.model.container import ContainerSpec, File, NetworkSpec, VolumeSpec
from firstbell.model.image import BuildSpec, Layer
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    EngineFacts,
    Event,
    ImageState,
    NetworkState,
    Observed,
    RunResult,
    Usage,
)
from firstbell.model.registry import Credentials


class DockerEngine:
    """One Docker daemon; see `Engine` for what each verb promises.

    `host` is as in DOCKER_HOST, empty for that or the local socket. `deadline` is for reading answers, in seconds;
    changes get four times as much. `log_folder` keeps the full logs of builds; None keeps none.
    `classic` builds without BuildKit, also where there is a client for it. `connector` is a way of one's own to `host`.
    """

    def __init__(
        self,
        host: str = "",
        *,
        deadline: float = READ_DEADLINE,
        log_folder: Path | None = None,
        classic: bool = False,
        connector: Connect | None = None,
    ) -> None:
        self._api = Api(host, deadline=deadline, connector=connector)
        self._builder = Builder(self._api, log_folder, classic=classic)
        self._standbys = Standbys(self._api)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._standbys.close()
        await self._api.close()

    @property
    def api(self) -> Api:
        """The daemon's HTTP API, for what has no verb: a Swarm's own."""
        return self._api

    @property
    def members(self) -> Members:
        """The Swarm that the daemon's machine belongs to, or is to join."""
        return Members(self._api)

    async def facts(self) -> EngineFacts:
        return await docker_observe.facts(self._api)

    async def observe(self, course: str = "") -> Observed:
        return await docker_observe.observe(self._api, course)

    # containers

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        async with self._alone(spec.name):
            taken = await self._standbys.take(spec, stage)
            return taken or await docker_containers.start(self._api, spec, stage)

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        async with self._alone(spec.name):
            return await self._standbys.prepare(name, spec)

    async def stop(self, name: str, grace: int = 10) -> None:
        await docker_containers.stop(self._api, name, grace)

    async def limit(self, name: str, memory: int) -> bool:
        return await docker_containers.limit(self._api, name, memory)

    async def set_aside(self, name: str, aside: str, grace: int = 10) -> None:
        async with self._alone(name):
            await docker_aside.set_aside(self._api, name, aside, grace)

    async def bring_back(self, aside: str, name: str) -> None:
        async with self._alone(name):
            await docker_aside.bring_back(self._api, aside, name)

    async def state(self, name: str) -> ContainerState:
        return await docker_containers.state(self._api, name)

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        async with self._alone(spec.name):
            return await docker_streams.run(self._api, spec, stdin, deadline)

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        return await docker_streams.execute(self._api, name, argv, stdin, deadline)

    def logs(
        self, name: str, tail: int = 200, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[str, None]:
        return docker_streams.logs(self._api, name, tail, follow=follow, timestamps=timestamps)

    async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
        return await docker_observe.usage(self._api, names)

    async def disk_use(self) -> tuple[DiskUse, ...]:
        return await docker_observe.disk_use(self._api)

    def events(self, course: str) -> AsyncGenerator[Event, None]:
        return docker_streams.events(self._api, course)

    # files

    async def put(self, name: str, files: Iterable[File]) -> None:
        await docker_containers.put(self._api, name, files)

    def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        return docker_containers.get(self._api, name, path)

    async def read_image_files(self, image: str, paths: Iterable[str]) -> dict[str, bytes]:
        return await docker_containers.read_image_files(self._api, image, paths)

    # networks and volumes

    async def ensure_network(self, spec: NetworkSpec) -> NetworkState:
        return await docker_resources.ensure_network(self._api, spec)

    async def remove_network(self, name: str) -> None:
        await docker_resources.remove_network(self._api, name)

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        return await docker_resources.ensure_volume(self._api, spec)

    async def remove_volume(self, name: str) -> None:
        await docker_resources.remove_volume(self._api, name)

    # images

    async def image(self, ref: str) -> ImageState | None:
        return await docker_images.image(self._api, ref)

    async def pull(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> ImageState:
        return await docker_share.pull(self._api, ref, credentials, report)

    async def push(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> str:
        return await docker_share.push(self._api, ref, credentials, report)

    async def tag(self, ref: str, new: str) -> None:
        await docker_share.tag(self._api, ref, new)

    def save(self, refs: Iterable[str]) -> AsyncGenerator[bytes, None]:
        return docker_share.save(self._api, tuple(refs))

    async def load(self, chunks: AsyncIterator[bytes], report: Report = ignore) -> tuple[str, ...]:
        return await docker_share.load(self._api, chunks, report)

    async def history(self, ref: str) -> tuple[Layer, ...]:
        return await docker_images.history(self._api, ref)

    async def build(self, spec: BuildSpec, report: Report = ignore) -> ImageState:
        return await self._builder.build(spec, report)

    async def import_image(self, ref: str, tar: AsyncIterator[bytes], report: Report = ignore) -> ImageState:
        return await docker_images.import_image(self._api, ref, tar, report)

    async def remove_image(self, ref: str) -> None:
        await docker_images.remove_image(self._api, ref)

    @contextlib.asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        """One start at a time per name, so that two of ours never take each other's container for an orphan."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield
