"""Networks and volumes of a Docker Engine."""

from __future__ import annotations

from typing import Any

import firstbell
from firstbell.engine import docker_config, docker_failure, docker_read
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.errors import FirstbellError, StartFailed
from firstbell.model.container import NetworkSpec, VolumeSpec
from firstbell.model.names import LABEL_VERSION
from firstbell.model.observed import NetworkState


async def _found(api: Api, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await api.json("GET", path)
    except Answer as answer:
        if answer.status == 404 and answer.says("no such", "not found"):
            return None
        raise
    return found


async def ensure_network(api: Api, spec: NetworkSpec) -> NetworkState:
    """See Engine.ensure_network."""
    with understood(spec.name):
        found = await _found(api, f"networks/{spec.name}")
        if found is None:
            try:
                await api.json("POST", "networks/create", body=docker_config.network_body(spec))
            except Answer as answer:
                # Somebody else may have made it meanwhile; then it is as good as ours.
                found = await _found(api, f"networks/{spec.name}")
                if found is None:
                    raise docker_failure.of_network(answer, spec.name) from answer
            else:
                found = await api.json("GET", f"networks/{spec.name}")
        _check_isolation(spec, found)
        return docker_read.network(found)


def _check_isolation(spec: NetworkSpec, found: dict[str, Any]) -> None:
    """A network that lets people reach each other must not pass for one that does not."""
    options = found.get("Options") or {}
    if not spec.inter_container and options.get(docker_config.ISOLATION) != "false":
        raise StartFailed(
            f"the network {spec.name} exists and does not isolate servers from each other",
            where=spec.name,
            next_step=f"Stop the course with `firstbell down`, then `docker network rm {spec.name}`.",
        )


async def remove_network(api: Api, name: str) -> None:
    """See Engine.remove_network. Raises FirstbellError while a container uses it."""
    await _delete(api, f"networks/{name}", f"the network {name}")


async def ensure_volume(api: Api, spec: VolumeSpec) -> bool:
    """See Engine.ensure_volume."""
    if await _found(api, f"volumes/{spec.name}") is not None:
        return False
    labels = {**spec.labels, LABEL_VERSION: firstbell.__version__}
    try:
        await api.json("POST", "volumes/create", body=docker_config.volume_body(spec, labels))
    except Answer as answer:
        if answer.says("no space left on device"):
            raise StartFailed(
                "the disk of the Docker Engine is full",
                where=spec.name,
                next_step="Make room: `docker system df` shows what takes it; then try again.",
                evidence=(answer.message,),
            ) from answer
        raise
    return True


async def remove_volume(api: Api, name: str) -> None:
    """See Engine.remove_volume. Raises FirstbellError while a container uses it."""
    await _delete(api, f"volumes/{name}", f"the volume {name}")


async def _delete(api: Api, path: str, what: str) -> None:
    try:
        await api.json("DELETE", path)
    except Answer as answer:
        if answer.status == 404:
            return
        if answer.status in {403, 409}:
            raise FirstbellError(
                f"{what} is still in use",
                where=path,
                next_step="Stop what uses it first; `docker ps -a` shows all containers.",
                evidence=(answer.message,),
            ) from answer
        raise
