"""A kernel's first answer and its later ones come as soon as they are there. Two waits of Jupyter's are cut short.

*0.5 s of most starts*: jupyter_server connects to ports that the kernel has not opened yet, ZeroMQ tries again
0.1 s later, and by then the kernel has answered the question by which the server finds out that it listens; it asks
again after 0.5 s. So a start ends when the kernel listens, or after a second for one that takes long.

*0.04 s of every cell*: a kernel answers in several small messages; the second waits until the browser's system has
acknowledged the first, which systems put off (Nagle's algorithm and delayed acknowledgement, RFC 896 and 1122).

What the first notebook needs of the server, 0.1 s of CPU and 13 MB, is loaded while a kernel is made ready for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import socket
import time
from typing import Any

_MODULES = ("nbformat.validator", "dateutil.parser", "tornado.websocket")
_NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
LONGEST = 1.0
"""Seconds; a kernel that listens later is connected to as Jupyter does."""
_STEP = 0.005
_LOOPBACK = "127.0.0.1"


def expect_a_notebook() -> None:
    """Loads what reads a notebook and its kernel's messages, a part at a time, so that no page waits for all of it."""
    parts: list[Any] = [*(functools.partial(importlib.import_module, name) for name in _MODULES), _check_a_notebook]

    def one() -> None:
        with contextlib.suppress(Exception):  # then it is loaded when it is used, and whoever uses it is told
            parts.pop(0)()
        if parts:
            asyncio.get_running_loop().call_later(_STEP, one)

    one()


def _check_a_notebook() -> None:
    """The first one compiles the checker of its format."""
    importlib.import_module("nbformat").validate(dict(_NOTEBOOK, cells=[]))


def install() -> None:
    """In force for all kernels of this process that are started on this machine. Other versions of Jupyter: nothing."""
    try:
        _wait_until_it_listens(
            importlib.import_module("jupyter_client.provisioning.local_provisioner").LocalProvisioner
        )
        _send_at_once(importlib.import_module("jupyter_server.services.kernels.websocket").KernelWebsocketHandler)
    except (ImportError, AttributeError):
        return


def _wait_until_it_listens(provisioner: Any) -> None:
    launch = provisioner.launch_kernel

    async def launch_kernel(self: Any, cmd: list[str], **how: Any) -> Any:
        told = await launch(self, cmd, **how)
        if told.get("transport") == "tcp" and told.get("ip") == _LOOPBACK and told.get("iopub_port"):
            await listens(told["iopub_port"], self)
        return told

    provisioner.launch_kernel = launch_kernel


def _know_the_loopback_address(local: Any) -> None:
    """Asking for all addresses of the machine loads psutil: 0.02 s of CPU, 1 MB."""
    is_local = local.is_local_ip
    local.is_local_ip = lambda ip: ip == _LOOPBACK or is_local(ip)


async def listens(port: int, process: Any) -> bool:
    """Waits until somebody listens at the port, the process has ended, or the time is up. Returns whether one does."""
    end = time.monotonic() + LONGEST
    while not _connects(port):
        if time.monotonic() > end or await process.poll() is not None:
            return False
        await asyncio.sleep(_STEP)
    return True


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.05)  # on the loopback interface the answer is there at once
        return probe.connect_ex((_LOOPBACK, port)) == 0


def _send_at_once(handler: Any) -> None:
    opened = handler.open

    def open_at_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.set_nodelay(True)
        return opened(self, *args, **kwargs)

    handler.open = open_at_once
