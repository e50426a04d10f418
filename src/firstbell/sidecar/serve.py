"""The side-car at work."""

from __future__ import annotations

import asyncio
import logging

from jupyterhub.services.auth import HubOAuth
from tornado import websocket
from tornado.ioloop import IOLoop

from .gate import Sidecar
from .reports import announce, keep_reporting, keep_telling_use
from .settings import Settings

_KNOWN_SECONDS = 30
"""How long the hub's answer about a visitor is believed: the longest that a revoked login lives on, as with Jupyter."""
_MESSAGE_BYTES = 64 * 1024 * 1024
"""Of one websocket message; tornado's own bound of 10 MB is less than a large table of a Streamlit."""


def serve(told: Settings) -> None:
    """Serve the application under the server's prefix, until the process is ended."""
    sidecar = made(told)

    async def report() -> None:
        if await announce(told):
            await asyncio.gather(keep_reporting(told, sidecar.last_times), keep_telling_use(told, sidecar.last_times))

    IOLoop.current().add_callback(report)
    sidecar.start()


def made(told: Settings) -> Sidecar:
    """The side-car, its bounds set."""
    HubOAuth.instance(cache_max_age=_KNOWN_SECONDS)
    websocket._default_max_message_size = _MESSAGE_BYTES  # noqa: SLF001 - jupyter-server-proxy's only way to be told
    return Sidecar(
        base_url=told.prefix,
        address="",
        port=told.port,
        server_port=told.app_port,
        absolute_url=told.keep_prefix,
        websocket_max_message_size=_MESSAGE_BYTES,
        log=logging.getLogger("sidecar"),
    )
