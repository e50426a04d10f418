"""The life of one container on a Docker Engine: start, stop, state, and what is put into it or taken out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

from firstbell.engine import docker_config, docker_failure, docker_read, docker_tar
from firstbell.engine.base import Stage, ignore
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable, HomeMissing, StartFailed
from firstbell.model.container import NO_NETWORK, ContainerSpec, File, Limits, MountKind
from firstbell.model.names import LABEL_COURSE, LABEL_ROLE, LABEL_SPEC, Role
from firstbell.model.observed import ContainerState, Phase

_TAR_CHUNK = 256 * 1024
_PROBE = "firstbell-read-"
_ABANDONED = 180
"""Seconds after which a probe is nobody's."""
_SOMEBODY_ELSE = 5.0
"""Seconds given to another process that is starting the same container; after that it is an orphan."""


async def state(api: Api, name: str) -> ContainerState:
    """How the container is; MISSING only if the daemon said in so many words that there is none."""
    try:
        with understood(name):
            return docker_read.container(await api.json("GET", f"containers/{name}/json"))
    except Answer as answer:
        if is_missing(answer):
            return ContainerState(name, Phase.MISSING)
        raise


def is_missing(answer: Answer) -> bool:
    """Whether the daemon says that there is no such container."""
    return answer.status == 404 and answer.says("no such container", "no such exec instance")


async def start(api: Api, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
    """See Engine.start. The caller sees to it that this process does so once at a time per name."""
    found = await state(api, spec.name)
    if _is_as_wanted(found, spec):
        return found
    for last in (False, False, True):
        await make_way(api, spec, found)
        stage("create")
        try:
            async with created(api, spec) as identity:
                await _fill_and_start(api, identity, spec, stage)
                return await state(api, spec.name)
        except _NameTaken:
            if last:
                raise
            found = await _after_somebody_else(api, spec)
            if _is_as_wanted(found, spec):
                return found
    raise AssertionError  # the last round returns or raises


def _is_as_wanted(found: ContainerState, spec: ContainerSpec) -> bool:
    return found.phase is Phase.RUNNING and found.spec_hash == spec.spec_hash


class _NameTaken(StartFailed):
    """Somebody else made a container of the name after we had looked."""


async def make_way(api: Api, spec: ContainerSpec, found: ContainerState) -> None:
    """Remove what has the name: an orphan, or an older form. Raises StartFailed if it is not ours."""
    if found.phase is Phase.MISSING:
        return
    # Not the course's label: a container inherits its image's labels, and our images carry that one.
    if LABEL_SPEC not in found.labels:
        raise StartFailed(
            f"a container named {spec.name} exists that Firstbell did not make",
            where=spec.name,
            next_step=f"If nobody needs it: `docker rm -f {spec.name}`.",
        )
    await remove(api, found.id)


async def _after_somebody_else(api: Api, spec: ContainerSpec) -> ContainerState:
    async def settled() -> ContainerState | None:
        found = await state(api, spec.name)
        # A container being made has its name already, but cannot be looked at yet.
        return None if found.phase in {Phase.MISSING, Phase.CREATED} else found

    try:
        return await until(settled, deadline=_SOMEBODY_ELSE)
    except TimeoutError:
        return await state(api, spec.name)


@contextlib.asynccontextmanager
async def created(api: Api, spec: ContainerSpec, *, with_stdin: bool = False) -> AsyncIterator[str]:
    """A container as specified, not started, by its id; removed if the body fails or is cancelled.

    Raises StartFailed (what the daemon said of the request), _NameTaken, EngineUnavailable.
    """
    making = asyncio.ensure_future(_create(api, spec, with_stdin=with_stdin))
    try:
        # Shielded: a create that was sent must be waited for, or nobody knows what to remove.
        identity = await asyncio.shield(making)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            await remove(api, await making)
        raise
    try:
        yield identity
    except BaseException as error:
        await discard(api, identity)
        if isinstance(error, Answer):
            raise docker_failure.of_start(error, spec) from error
        raise


async def discard(api: Api, identity: str) -> None:
    """Remove what was made, also when cancelled; if the daemon is gone, the next start of the name will."""
    removal = asyncio.ensure_future(remove(api, identity))
    with contextlib.suppress(EngineUnavailable):
        try:
            await asyncio.shield(removal)
        except asyncio.CancelledError:
            await removal
            raise


async def _create(api: Api, spec: ContainerSpec, *, with_stdin: bool) -> str:
    await _check_volumes(api, spec)
    body = docker_config.create_body(spec, with_stdin=with_stdin)
    try:
        return await _post_create(api, spec.name, body)
    except Answer as answer:
        if answer.status == 409:
            raise _NameTaken(
                f"another command is starting {spec.name}",
                where=spec.name,
                next_step="Wait for it, then try again.",
                evidence=(answer.message,),
            ) from answer
        if answer.status == 400 and answer.says("range of cpus"):
            # More cores than the machine has are no bound at all; a laptop's course must run on it.
            del body["HostConfig"]["NanoCpus"]
            return await _post_create(api, spec.name, body)
        raise docker_failure.of_start(answer, spec) from answer


async def _post_create(api: Api, name: str, body: dict[str, Any]) -> str:
    with understood(name):
        return str((await api.json("POST", "containers/create", params={"name": name}, body=body))["Id"])


async def _check_volumes(api: Api, spec: ContainerSpec) -> None:
    """Docker would make a missing volume, empty and without labels: an empty home, silently."""
    for mount in spec.mounts:
        if mount.kind is MountKind.VOLUME:
            try:
                await api.json("GET", f"volumes/{mount.source}")
            except Answer as answer:
                if answer.status != 404:
                    raise
                raise HomeMissing(
                    f"the volume {mount.source} is missing",
                    where=spec.name,
                    next_step="See `docker volume ls`; a volume that was removed must be restored from its backup.",
                    evidence=(answer.message,),
                ) from answer


async def _fill_and_start(api: Api, identity: str, spec: ContainerSpec, stage: Stage) -> None:
    if spec.files:
        stage("files")
        await put(api, identity, spec.files)
    stage("start")
    await api.json("POST", f"containers/{identity}/start")
    if spec.joins_late:
        await join(api, identity, spec.network)


async def join(api: Api, identity: str, network: str) -> None:
    """Put a running container that has no network into its own (see docs/decisions/0007)."""
    try:
        await api.json("POST", f"networks/{NO_NETWORK}/disconnect", body={"Container": identity, "Force": True})
        await api.json("POST", f"networks/{network}/connect", body={"Container": identity})
    except Answer:
        # A program that has ended already needs none; its end is what the caller has to hear of.
        if (await state(api, identity)).phase is not Phase.EXITED:
            raise


async def stop(api: Api, name: str, grace: int) -> None:
    """See Engine.stop."""
    try:
        await api.json("POST", f"containers/{name}/stop", params={"t": grace}, deadline=grace + api.change_deadline)
    except Answer as answer:
        if is_missing(answer):
            return
        # What cannot be stopped (already being removed, stuck) is for the removal to settle.
        if answer.status not in {304, 409}:
            raise
    await remove(api, name)


async def limit(api: Api, name: str, memory: int) -> bool:
    """See Engine.limit."""
    try:
        await api.json("POST", f"containers/{name}/update", body={"Memory": memory, "MemorySwap": memory})
    except Answer as answer:
        if is_missing(answer):
            return False
        raise StartFailed(f"{name} cannot have that limit: {answer.message}", where=name) from answer
    return True


async def remove(api: Api, name: str) -> None:
    """Kill and remove, with the anonymous volumes its image asked for; returns when it is gone."""

    async def gone() -> bool:
        try:
            await api.json("DELETE", f"containers/{name}", params={"force": 1, "v": 1})
        except Answer as answer:
            if is_missing(answer):
                return True
            if answer.status == 409:  # another removal is under way
                return False
            raise
        return True

    with understood(name):
        await until(gone, deadline=api.change_deadline)


async def put(api: Api, name: str, files: Iterable[File]) -> None:
    """Unpack files at the container's root, through its mounts."""
    await api.json("PUT", f"containers/{name}/archive", params={"path": "/"}, body=docker_tar.pack(files))


async def get(api: Api, name: str, path: str) -> AsyncGenerator[bytes, None]:
    """See Engine.get."""
    try:
        async with api.stream("GET", f"containers/{name}/archive", params={"path": path}, deadline=None) as response:
            if "X-Docker-Container-Path-Stat" not in response.headers:
                raise ValueError("no archive")
            async for chunk in api.pieces(response, _TAR_CHUNK):
                yield chunk
    except Answer as answer:
        if answer.status == 404:
            raise FileNotFoundError(f"{name}:{path}: {answer.message}") from answer
        raise


async def _sweep_probes(api: Api) -> None:
    """Remove the probes that a killed command left; those of commands at work are younger."""
    filters = json.dumps({"label": [f"{LABEL_ROLE}={Role.HELPER}", f"{LABEL_COURSE}="], "status": ["created"]})
    for entry in await api.json("GET", "containers/json", params={"all": 1, "filters": filters}):
        with understood(_PROBE):
            if entry["Names"][0].startswith(f"/{_PROBE}") and entry["Created"] < time.time() - _ABANDONED:
                await remove(api, entry["Id"])


async def read_image_files(api: Api, image: str, paths: Iterable[str]) -> dict[str, bytes]:
    """See Engine.read_image_files."""
    probe = ContainerSpec(
        name=f"{_PROBE}{uuid.uuid4().hex[:12]}",
        image=image,
        command=("true",),
        labels={LABEL_COURSE: "", LABEL_ROLE: Role.HELPER.value},
        limits=Limits(memory=0, pids=0),
    )
    await _sweep_probes(api)
    found: dict[str, bytes] = {}
    async with created(api, probe) as identity:
        for path in paths:
            content = await docker_tar.read_file(lambda at: get(api, identity, at), path)
            if content is not None:
                found[path] = content
        await discard(api, identity)
    return found
