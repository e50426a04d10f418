"""Builds of a Docker Engine: by BuildKit where a client can speak to it, else by the classic builder of the API."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstbell.engine import docker_buildkit, docker_context, docker_observe
from firstbell.engine.base import Report
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_buildkit import Client
from firstbell.engine.docker_images import present
from firstbell.engine.docker_messages import messages
from firstbell.engine.docker_progress import BuildProgress, build_log
from firstbell.errors import BuildFailed
from firstbell.model.image import BuildSpec
from firstbell.model.observed import ImageState

_IDLE = 3600.0
"""Seconds a build may be silent: compiling a large package prints nothing for long."""
_UPLOAD = 256 * 1024
_CACHE_MOUNT = re.compile(r"--mount=type=cache\S*[ \t]+")
"""An option of RUN that only makes a build faster, unknown to the classic builder."""


class Builder:
    """Chooses, at the first build, how this engine builds; the full logs go to `log_folder`.

    `classic` asks for the API's own builder, and so does DOCKER_BUILDKIT=0 in the environment, as with Docker.
    """

    def __init__(self, api: Api, log_folder: Path | None, *, classic: bool = False) -> None:
        self._api = api
        self._log_folder = log_folder
        self._classic = classic or os.environ.get("DOCKER_BUILDKIT") == "0"
        self._client: Client | None = None
        self._env = docker_buildkit.environment(api.host)

    async def build(self, spec: BuildSpec, report: Report) -> ImageState:
        """See Engine.build."""
        client = await self._buildkit()
        if client and self._env is not None:
            await self._by_buildkit(client, self._env, spec, report)
        else:
            await _build_classic(self._api, without_cache_mounts(spec), report, self._log_folder)
        return await present(self._api, spec.tag)

    async def _by_buildkit(self, client: Client, env: dict[str, str], spec: BuildSpec, report: Report) -> None:
        """A client takes what a failing daemon says for a failed build: so the daemon is asked before and after."""
        await docker_observe.facts(self._api)
        try:
            await docker_buildkit.build(client, env, spec, report, self._log_folder)
        except BuildFailed:
            await docker_observe.facts(self._api)
            raise

    async def _buildkit(self) -> Client | None:
        if self._classic or self._env is None:
            return None
        if self._client is None:
            with understood("version"):
                components = (await self._api.json("GET", "version")).get("Components") or ()
            # Podman answers to the same API, with a builder of its own behind it.
            is_docker = any(component.get("Name") == "Engine" for component in components)
            self._client = await docker_buildkit.find_client() if is_docker else None
            self._classic = self._client is None
        return self._client


def without_cache_mounts(spec: BuildSpec) -> BuildSpec:
    """The same build in words that the classic builder knows."""
    return replace(spec, dockerfile=_CACHE_MOUNT.sub("", spec.dockerfile))


async def _build_classic(api: Api, spec: BuildSpec, report: Report, log_folder: Path | None) -> None:
    params = {
        "t": spec.tag, "dockerfile": docker_context.DOCKERFILE, "networkmode": spec.network, "rm": 1, "forcerm": 1,
        "nocache": int(spec.no_cache), "labels": json.dumps(dict(spec.labels)),
        "buildargs": json.dumps(dict(spec.args)),
    }  # fmt: skip
    with build_log(log_folder, spec.tag) as log, await asyncio.to_thread(docker_context.pack, spec) as context:
        progress = BuildProgress(spec.tag, log)
        try:
            async with api.stream(
                "POST",
                "build",
                params=params,
                data=_read(context),
                deadline=None,
                head_deadline=2 * api.change_deadline,
            ) as response:
                async for message in messages(response, _IDLE):
                    for line in progress.take(message):
                        report(line)
        except Answer as answer:
            if answer.status >= 500 and not answer.says("dockerfile", "no space left", "syntax"):
                raise
            deque(progress.take({"error": answer.message}), maxlen=0)
        if progress.error or not progress.image_id:
            raise progress.failure()


async def _read(context: Any) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(context.read, _UPLOAD):
        yield chunk
