"""Images of a Docker Engine: look up, import, remove. Builds are in `docker_build`, registries in `docker_share`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from firstbell.engine import docker_read
from firstbell.engine.base import Report
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_messages import messages
from firstbell.engine.docker_transfer import Transfer
from firstbell.errors import BuildFailed
from firstbell.model.image import Layer
from firstbell.model.observed import ImageState

_IDLE = 3600.0
"""Seconds the daemon may be silent while it unpacks what it was given."""


async def image(api: Api, ref: str) -> ImageState | None:
    """See Engine.image."""
    try:
        with understood(ref):
            return docker_read.image(ref, await api.json("GET", f"images/{ref}/json"))
    except Answer as answer:
        if answer.status == 404 and answer.says("no such image"):
            return None
        raise


async def present(api: Api, ref: str) -> ImageState:
    """The image that has just been made. Raises BuildFailed if it is not there after all."""
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


def split(ref: str) -> tuple[str, str, str]:
    """Name, `:` and tag of a reference; without one the tag is `latest`."""
    name, colon, tag = ref.rpartition(":")
    return (name, colon, tag) if colon and "/" not in tag else (ref, ":", "latest")


async def history(api: Api, ref: str) -> tuple[Layer, ...]:
    """See Engine.history."""
    try:
        with understood(ref):
            entries = await api.json("GET", f"images/{ref}/history")
            return tuple(docker_read.layer(entry) for entry in reversed(entries))
    except Answer as answer:
        if answer.status == 404:
            return ()
        raise


async def import_image(api: Api, ref: str, tar: AsyncIterator[bytes], report: Report) -> ImageState:
    """See Engine.import_image."""
    name, _, tag = split(ref)
    progress = Transfer(ref)
    params = {"fromSrc": "-", "repo": name, "tag": tag}
    try:
        async with api.stream(
            "POST", "images/create", params=params, data=tar, deadline=None, head_deadline=2 * api.change_deadline
        ) as response:
            async for message in messages(response, _IDLE):
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
    return await present(api, ref)
