"""What the programs of a link share: their log, their user, their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from asyncio import sslproto
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from firstbell.model.runtime import HUB_UID

_TLS_BUFFER = 32 * 1024
"""Bytes; two records of TLS."""
_BURST = 20
"""Lines about one subject in _WINDOW seconds; whoever knocks in vain fills no disk."""
_WINDOW = 10.0
_said: dict[str, tuple[float, int]] = {}


def log(subject: str, words: str) -> None:
    """A line for the container's log; not more than a few of one subject at a time."""
    now = time.monotonic()
    since, count = _said.get(subject, (now, 0))
    if now - since > _WINDOW:
        if count > _BURST:
            print(f"{subject}: {count - _BURST} more lines like these", flush=True)  # noqa: T201
        since, count = now, 0
    _said[subject] = (since, count + 1)
    if count < _BURST:
        print(f"{subject}: {words}", flush=True)  # noqa: T201


def spare_memory() -> None:
    """Let each TLS connection have a small buffer: most are silent web sockets, and asyncio's 256 KiB are for few.

    Of this whole process, which is one of ours.
    """
    sslproto.SSLProtocol.max_size = _TLS_BUFFER


def raise_file_limit() -> None:
    """As many connections as this machine lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def drop_privileges(for_socket: str = "") -> None:
    """From root to the hub's user, who may still use that socket by its group; whoever is not root stays who they are.

    The group differs from node to node, so no service's description could name it.
    """
    if os.geteuid() != 0:
        return
    "firstbell".encode("idna")  # what TLS needs later is loaded now: the hub's user may not be able to read it
    groups = []
    if for_socket:
        with contextlib.suppress(OSError):
            groups = [Path(for_socket).stat().st_gid]
    os.setgroups(groups)
    os.setgid(HUB_UID)
    os.setuid(HUB_UID)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Until it ends, or until somebody asks for its end."""

    async def until_asked() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_asked())
