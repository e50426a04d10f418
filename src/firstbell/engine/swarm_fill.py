"""What is put into volumes and directories of a node before a service's container is made there."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace

from firstbell.engine import docker_containers
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import LABEL_FILES, course_of
from firstbell.engine.swarm_layout import Layout, Program
from firstbell.errors import HomeMissing, StartFailed
from firstbell.model.container import (
    NO_NETWORK,
    ContainerSpec,
    File,
    Limits,
    Mount,
    MountKind,
    Restart,
    VolumeSpec,
    frozen,
)
from firstbell.model.names import LABEL_COURSE, LABEL_ROLE, Role
from firstbell.model.observed import NodeState

_COMPLETE = ".complete"
"""In a program's volume: everything is there. Written with the rest, as its last file."""
_DEADLINE = 60.0
"""Seconds for making one helper, filling it and removing it on a busy node."""
PROBE = "firstbell-fill-"


class Filler:
    """Fills volumes through a container that is never started, and remembers what needs no second time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._done: set[tuple[str, str, str]] = set()
        """(node, volume and its creation, what was put)."""
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(self, node: NodeState, spec: ContainerSpec, parts: Layout) -> None:
        """See to it that volumes are there with what has to be in them. Raises HomeMissing, StartFailed, NodeAway."""
        stamps = {
            mount.source: await self._stamp(node, mount.source, spec)
            for mount in spec.mounts
            if mount.kind is MountKind.VOLUME
        }
        for program in parts.programs:
            await self._lay_out(node, spec, program)
        if parts.mounted:
            await self._put(node, spec, parts.mounted, stamps)

    async def _stamp(self, node: NodeState, volume: str, spec: ContainerSpec) -> str:
        """Which volume of that name it is. Raises HomeMissing: Swarm would make a missing one, empty, silently."""
        found = await self._created_at(node, volume)
        if found is None:
            raise HomeMissing(
                f"the volume {volume} is missing on {node.name}",
                where=spec.name,
                next_step=f"See `docker volume ls` on {node.name}; a volume that was removed must be restored from "
                "its backup, one that is on another node must be moved: `firstbell homes move`.",
            )
        return f"{volume} {found}"

    async def _created_at(self, node: NodeState, volume: str) -> str | None:
        async def look(engine: DockerEngine) -> str | None:
            try:
                with understood(volume):
                    return str((await engine.api.json("GET", f"volumes/{volume}"))["CreatedAt"])
            except Answer as answer:
                if answer.status == 404:
                    return None
                raise

        return await self._cluster.ask(node, look)

    async def _put(self, node: NodeState, spec: ContainerSpec, files: tuple[File, ...], stamps: dict[str, str]) -> None:
        mounts = tuple(mount for mount in spec.mounts if mount.kind is not MountKind.TMPFS)
        what = "".join(file.digest for file in files)
        key = (node.id, "\n".join([*stamps.values(), *(repr(mount) for mount in mounts)]), what)
        # Directories of volumes keep their owner; a file, or a directory of the host, may have been changed since.
        is_lasting = all(file.content is None for file in files) and all(m.kind is MountKind.VOLUME for m in mounts)
        if is_lasting and key in self._done:
            return
        own = tuple(replace(mount, read_only=False) if _has(mount, files) else mount for mount in mounts)
        async with self._helper(node, spec, own) as (engine, identity):
            await docker_containers.put(engine.api, identity, files)
        self._done.add(key)

    async def _lay_out(self, node: NodeState, spec: ContainerSpec, program: Program) -> None:
        async with self._locks[node.id, program.volume]:
            stamp = await self._created_at(node, program.volume)
            if stamp and (node.id, program.volume, stamp) in self._done:
                return
            volume = VolumeSpec(program.volume, frozen({LABEL_FILES: course_of(spec)}))
            await self._cluster.ask(node, lambda engine: engine.ensure_volume(volume), _DEADLINE)
            mount = replace(program.mount, read_only=False)
            async with self._helper(node, spec, (mount,)) as (engine, identity):
                if not await _is_complete(engine, identity, program.path):
                    mark = File(f"{program.path}/{_COMPLETE}", b"")
                    await docker_containers.put(engine.api, identity, (*program.files, mark))
            stamp = await self._created_at(node, program.volume)
            self._done.add((node.id, program.volume, stamp or ""))

    @contextlib.asynccontextmanager
    async def _helper(
        self, node: NodeState, spec: ContainerSpec, mounts: tuple[Mount, ...]
    ) -> AsyncIterator[tuple[DockerEngine, str]]:
        """A container with these mounts on the node, never started; removed at the end."""
        engine = self._cluster.engine(node)
        name = f"{PROBE}{uuid.uuid4().hex[:12]}"
        helper = ContainerSpec(
            name=name,
            image=spec.image,
            command=("true",),
            labels=frozen({LABEL_COURSE: "", LABEL_ROLE: Role.HELPER.value, LABEL_FILES: course_of(spec)}),
            mounts=mounts,
            network=NO_NETWORK,
            limits=Limits(memory=0, pids=0),
            restart=Restart.NO,
        )
        try:
            async with docker_containers.created(engine.api, helper) as identity:
                yield engine, identity
                await docker_containers.discard(engine.api, identity)
        except StartFailed as error:
            # What could not be made for the helper cannot be had by the server either.
            words = error.what.replace(name, spec.name)
            raise type(error)(
                words, where=f"{spec.name} on {node.name}", next_step=error.next_step, evidence=error.evidence
            ) from error


def _has(mount: Mount, files: tuple[File, ...]) -> bool:
    return any(f"{file.path}/".startswith(f"{mount.target.rstrip('/')}/") for file in files)


async def _is_complete(engine: DockerEngine, identity: str, path: str) -> bool:
    try:
        async with contextlib.aclosing(docker_containers.get(engine.api, identity, f"{path}/{_COMPLETE}")) as chunks:
            async for _ in chunks:
                pass
    except FileNotFoundError:
        return False
    return True
