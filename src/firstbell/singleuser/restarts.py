"""A kernel that has ended in the middle of a cell and was begun anew is busy no more, and what it says is heard.

jupyter_server learns both from the kernel's own messages. One that is killed says nothing of it, and one that dies in
its first seconds comes back on other ports, at which nobody listens: it would be busy for ever, and its server in use.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable

LOOK_EVERY, PATIENCE = 0.1, 30.0
"""Seconds between two looks for the new process, and in all."""
_LOST = "firstbell: what a kernel that was begun anew says is not heard"


def heed(manager: Any, log: Any) -> None:
    """Of jupyter_server's manager of kernels; one that is made otherwise is left as it is."""
    watch = getattr(manager, "start_watching_activity", None)
    if watch is None or getattr(manager, "add_restart_callback", None) is None:
        return
    known: set[str] = set()
    tasks: set[asyncio.Task[None]] = set()

    def start_watching_activity(kernel_id: str) -> None:
        watch(kernel_id)
        if kernel_id not in known:
            known.add(kernel_id)
            manager.add_restart_callback(kernel_id, lambda: begins_anew(kernel_id), "restart")

    def begins_anew(kernel_id: str) -> None:
        kernel = manager.get_kernel(kernel_id)
        kernel.execution_state = "starting"
        task = asyncio.get_running_loop().create_task(_hear(manager, kernel_id, watch, log))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    manager.start_watching_activity = start_watching_activity


async def _hear(manager: Any, kernel_id: str, watch: Callable[[str], None], log: Any) -> None:
    """Listen to the new process, where it speaks elsewhere. The old one is still known when this begins."""
    try:
        before = _place(manager.get_kernel(kernel_id))
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while (now := _place(manager.get_kernel(kernel_id)))[0] in (before[0], None):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(LOOK_EVERY)
        if now[1] != before[1]:
            manager.stop_watching_activity(kernel_id)
            manager.get_kernel(kernel_id).execution_state = "starting"
            watch(kernel_id)
    except Exception:  # it was shut down meanwhile
        log.debug(_LOST, exc_info=True)


def _place(kernel: Any) -> tuple[Any, Any]:
    """Its process, and the port at which it speaks."""
    return getattr(getattr(kernel, "provisioner", None), "pid", None), getattr(kernel, "iopub_port", None)
