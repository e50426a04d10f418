"""Everything a Docker Engine has of a course, in one snapshot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from firstbell.engine import docker_read
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_containers import is_missing, state
from firstbell.engine.waiting import together
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC
from firstbell.model.observed import ContainerState, DiskUse, EngineFacts, Observed, Phase, Usage

_COUNTING = 120.0
"""Seconds for the daemon to count every file of every volume."""
_AT_ONCE = 8
"""Requests side by side; the daemon gains nothing from more."""


async def facts(api: Api) -> EngineFacts:
    """See Engine.facts."""
    with understood("info"):
        info, version = await together(api.json("GET", "info"), api.json("GET", "version"))
        return docker_read.facts(info, version)


async def observe(api: Api, course: str) -> Observed:
    """See Engine.observe. Of running containers, `started_at` is left out."""
    label = f"{LABEL_COURSE}={course}" if course else LABEL_COURSE
    ours = {"filters": json.dumps({"label": [label]})}
    # The specification's label as well: whatever is run of our images inherits their labels, the course's too.
    started = {"filters": json.dumps({"label": [label, LABEL_SPEC]})}
    with understood("observe"):
        engine, containers, volumes, networks, images = await together(
            facts(api),
            api.json("GET", "containers/json", params={"all": 1, **started}),
            api.json("GET", "volumes", params=ours),
            api.json("GET", "networks"),
            api.json("GET", "images/json"),
        )
        return Observed(
            course=course,
            engine=engine,
            containers=await _in_detail(api, containers),
            volumes=tuple(docker_read.volume(entry) for entry in volumes["Volumes"] or ()),
            networks=tuple(docker_read.network(entry) for entry in networks if _is_ours(entry, course)),
            images=tuple(state for entry in images for state in docker_read.listed_images(entry)),
            used_subnets=tuple(subnet for entry in networks for subnet in docker_read.subnets(entry)),
        )


def _is_ours(entry: dict[str, Any], course: str) -> bool:
    value = (entry.get("Labels") or {}).get(LABEL_COURSE)
    return value is not None and course in {"", value}


async def _in_detail(api: Api, entries: Iterable[dict[str, Any]]) -> tuple[ContainerState, ...]:
    """The list says all of a running container; how one ended is known to the inspection only."""
    bound = asyncio.Semaphore(_AT_ONCE)

    async def detail(listed: ContainerState) -> ContainerState:
        if listed.phase is Phase.RUNNING:
            return listed
        async with bound:
            return await state(api, listed.id)

    states = await together(*(detail(docker_read.listed_container(entry)) for entry in entries))
    return tuple(sorted((s for s in states if s.phase is not Phase.MISSING), key=lambda s: s.name))


async def disk_use(api: Api) -> tuple[DiskUse, ...]:
    """See Engine.disk_use."""
    with understood("disk"):
        return docker_read.disk_use(await api.json("GET", "system/df", deadline=_COUNTING))


async def usage(api: Api, names: Iterable[str]) -> tuple[Usage, ...]:
    """See Engine.usage."""
    bound = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> Usage | None:
        async with bound:
            try:
                with understood(name):
                    params = {"stream": 0, "one-shot": 1}
                    return docker_read.usage(name, await api.json("GET", f"containers/{name}/stats", params=params))
            except Answer as answer:
                if is_missing(answer):
                    return None
                raise

    return tuple(found for found in await together(*map(one, names)) if found is not None)
