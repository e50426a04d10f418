"""Images of a Docker Engine: look up, pull, build, import, remove."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import stamina

from firstbell.engine import docker_context, docker_read
from firstbell.engine.base import Report
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_progress import BuildProgress, PullProgress, build_log
from firstbell.errors import BuildFailed, EngineUnavailable
from firstbell.model.image import BuildSpec
from firstbell.model.observed import ImageState

_IDLE = 3600.0
"""Seconds a build or pull may be silent: compiling a large package prints nothing for long."""
_UPLOAD = 256 * 1024
_PULLS = 4
_DEFINITE = (
    "not found", "does not exist", "access denied", "unauthorized", "authentication required", "manifest unknown",
    "invalid reference", "no matching manifest", "denied", "toomanyrequests",
)  # fmt: skip
"""What a registry says that asking again does not change."""


async def image(api: Api, ref: str) -> ImageState | None:
    """See Engine.image."""
    try:
        with understood(ref):
            return docker_read.image(ref, await api.json("GET", f"images/{ref}/json"))
    except Answer as answer:
        if answer.status == 404 and answer.says("no such image"):
            return None
        raise


async def _present(api: Api, ref: str) -> ImageState:
    found = await image(api, ref)
    if found is None:
        raise BuildFailed(
            f"the engine said it has made {ref}, but has it not",
            where=ref,
            next_step="Look at `docker images`; was it removed meanwhile?",
        )
    return found


async def remove_image(api: Api, ref: str) -> None:
    """See Engine.remove_image."""
    try:
        await api.json("DELETE", f"images/{ref}")
    except Answer as answer:
        if answer.status not in {404, 409}:
            raise


class _PullTrouble(Exception):
    """A pull that may succeed if it is tried again."""


async def pull(api: Api, ref: str, report: Report) -> ImageState:
    """See Engine.pull."""
    name, _, tag = ref.partition("@") if "@" in ref else _split(ref)
    params = {"fromImage": name, "tag": tag}
    try:
        async for attempt in stamina.retry_context(on=_PullTrouble, attempts=_PULLS, wait_initial=0.5, wait_max=4):
            with attempt:
                await _pull_once(api, ref, params, report)
    except _PullTrouble as trouble:
        raise _not_pulled(ref, str(trouble)) from trouble
    return await _present(api, ref)


def _split(ref: str) -> tuple[str, str, str]:
    name, colon, tag = ref.rpartition(":")
    return (name, colon, tag) if colon and "/" not in tag else (ref, ":", "latest")


async def _pull_once(api: Api, ref: str, params: dict[str, str], report: Report) -> None:
    progress = PullProgress(ref)
    try:
        async with api.stream(
            "POST", "images/create", params=params, deadline=None, head_deadline=api.change_deadline
        ) as response:
            async for message in _messages(response):
                if line := progress.take(message):
                    report(line)
    except Answer as answer:
        progress.error = answer.message
    if progress.error:
        if any(word in progress.error.lower() for word in _DEFINITE):
            raise _not_pulled(ref, progress.error)
        raise _PullTrouble(progress.error)


def _not_pulled(ref: str, words: str) -> BuildFailed:
    first = ref.partition("/")[0]
    registry = first if "/" in ref and ("." in first or ":" in first or first == "localhost") else "Docker Hub"
    return BuildFailed(
        f"the image {ref} could not be had from {registry}",
        where=ref,
        next_step=f"Check the name and the way to {registry}: `docker pull {ref}`; "
        "for a private image `docker login` first.",
        evidence=(words,),
    )


async def build(api: Api, spec: BuildSpec, report: Report, log_folder: Path | None) -> ImageState:
    """See Engine.build. The full log goes to `log_folder`."""
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
                async for message in _messages(response):
                    for line in progress.take(message):
                        report(line)
        except Answer as answer:
            if answer.status >= 500 and not answer.says("dockerfile", "no space left", "syntax"):
                raise
            deque(progress.take({"error": answer.message}), maxlen=0)
        if progress.error or not progress.image_id:
            raise progress.failure()
    return await _present(api, spec.tag)


async def _read(context: Any) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(context.read, _UPLOAD):
        yield chunk


async def import_image(api: Api, ref: str, tar: AsyncIterator[bytes], report: Report) -> ImageState:
    """See Engine.import_image."""
    name, _, tag = _split(ref)
    progress = PullProgress(ref)
    params = {"fromSrc": "-", "repo": name, "tag": tag}
    try:
        async with api.stream(
            "POST", "images/create", params=params, data=tar, deadline=None, head_deadline=2 * api.change_deadline
        ) as response:
            async for message in _messages(response):
                if line := progress.take(message):
                    report(line)
    except Answer as answer:
        if answer.status >= 500 and not answer.says("no space left"):
            raise
        progress.error = answer.message
    if progress.error:
        raise BuildFailed(
            f"the image {ref} could not be imported",
            where=ref,
            next_step="See that the disk has room (`docker system df`), then try again.",
            evidence=(progress.error,),
        )
    return await _present(api, ref)


async def _messages(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a progress stream, however they are cut into lines and pieces."""
    decoder = json.JSONDecoder()
    text = ""
    while True:
        async with asyncio.timeout(_IDLE):
            piece = await response.content.readany()
        if not piece:
            break
        text = (text + piece.decode(errors="replace")).lstrip()
        while text:
            try:
                message, end = decoder.raw_decode(text)
            except ValueError:
                break  # not all of it is here yet
            yield message
            text = text[end:].lstrip()
    if text:
        raise EngineUnavailable(
            "the Docker Engine is not available: its answer was cut off",
            next_step="See whether the engine runs with `docker version`, then try again.",
        )
