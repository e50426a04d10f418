"""The stream of JSON objects by which the daemon tells how a build, pull, push or load goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from firstbell.errors import EngineUnavailable


async def messages(response: aiohttp.ClientResponse, idle: float) -> AsyncIterator[dict[str, Any]]:
    """The objects, however they are cut into lines and pieces.

    Raises TimeoutError after `idle` seconds of silence, EngineUnavailable where the last object is cut off.
    """
    decoder = json.JSONDecoder()
    text = ""
    while True:
        async with asyncio.timeout(idle):
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
