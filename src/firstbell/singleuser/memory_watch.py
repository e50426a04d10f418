"""Looks at this server's memory, ends what fills it, so that the server itself goes on, and tells the hub."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import time
from typing import Any

from . import memory, room
from .hub import Hub
from .memory import Guard, Tree, Use
from .reports import persist
from .settings import Settings
from .terminals import processes

FIRST_TO_GO = 500
"""Added to what the system reckons when it has to choose (man 5 proc, oom_score_adj): far above the server's own 0."""
LONGEST_NAME = 80
_PRESSURE = "memory.pressure"
_DEAD = frozenset("ZX")
"""States of /proc/PID/stat of what has ended and was not collected yet (man 5 proc)."""
_COUNTS = ("memory.events", "memory/memory.oom_control")
"""Where version 2 and version 1 count what the system has ended."""


class MemoryWatch:
    """Of one server. ``cgroup`` and ``proc`` are the kernel's folders."""

    def __init__(self, app: Any, cgroup: str = "/sys/fs/cgroup", proc: str = "/proc") -> None:
        self._app, self._cgroup, self._proc = app, cgroup, proc
        self._guard = Guard()
        self._marked: set[int] = set()
        self._kernels: dict[int, str] = {}
        self._killed = killed_by_system(cgroup)

    async def keep_looking(self, hub: Hub, settings: Settings) -> None:
        """Until cancelled, or at once where nobody limits the memory."""
        url = settings.api_url + "/companion/memory"
        while True:
            pause, report = memory.CALM_PAUSE, None
            try:
                use = self.use()
                if not use.limit:
                    return
                report = await self.look(use)
                pause = self._guard.pause(use)
            except OSError:
                return  # no control group that could be read: nothing to go by
            except Exception:
                self._app.log.exception("firstbell: the memory could not be looked after")
            if report is not None:
                told = report
                await persist(lambda: hub.post(url, told), self._app.log, "memory", tries=4)  # noqa: B023
            await asyncio.sleep(pause)

    def use(self) -> Use:
        """At this moment. Raises OSError where the kernel does not say it."""
        used, limit = room.used(self._cgroup)
        return Use(used, limit, stalled(self._cgroup))

    async def look(self, use: Use) -> dict[str, Any] | None:
        """What is to be told, if something was ended, by us or by the system."""
        if use.is_short:
            self._app.warm.give_up()
        kernels, shells = _kernels(self._app), _shells(self._app)
        before, self._kernels = self._kernels, kernels
        self._mark({*kernels, *shells})
        killed = killed_by_system(self._cgroup)
        if killed > self._killed:
            self._killed = killed
            self._guard.ended(time.monotonic())
            return await self._by_system({**before, **kernels}, use.limit)
        if not self._guard.has_to_end(use, time.monotonic()):
            return None
        found = memory.hungriest({**kernels, **dict.fromkeys(shells, "")}, processes(self._proc), use.limit)
        if found is None:
            return None
        root = found.pids[-1]
        path = await _path(self._app, found.name) if root in kernels else ""
        self._app.log.warning(
            "firstbell: memory is full (%i bytes of %i): ending %s", use.used, use.limit, path or root
        )
        end(found, spared=root in shells and len(found.pids) > 1)
        self._guard.ended(time.monotonic())
        return _told("notebook" if root in kernels else "terminal", path, use)

    async def _by_system(self, known: dict[int, str], limit: int) -> dict[str, Any]:
        """What to tell of an end that the system made: all of the limit was in use then, whatever is by now."""
        alive = {one.pid for one in processes(self._proc) if one.state not in _DEAD}
        # One that began since the last look is known by the process that Jupyter has not missed yet.
        gone = {kernel_id for pid, kernel_id in known.items() if pid not in alive}
        path = await _path(self._app, gone.pop()) if len(gone) == 1 else ""
        return _told("notebook" if path else "", path, Use(limit, limit))

    def _mark(self, roots: set[int]) -> None:
        self._marked &= roots
        for pid in roots - self._marked:
            with contextlib.suppress(OSError):
                with open(os.path.join(self._proc, str(pid), "oom_score_adj"), "w", encoding="ascii") as file:
                    file.write(str(FIRST_TO_GO))
                self._marked.add(pid)


def end(tree: Tree, spared: bool = False) -> None:
    """All of it, innermost first; the root is spared where it is a shell. A kernel is started anew by Jupyter."""
    for pid in tree.pids[:-1] if spared else tree.pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def stalled(cgroup: str) -> float:
    """Hundredths of the last ten seconds in which all waited for memory (docs.kernel.org/accounting/psi.html)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(os.path.join(cgroup, _PRESSURE), encoding="ascii") as file:
            line = next((line for line in file if line.startswith("full ")), "")
        return float(line.split("avg10=")[1].split()[0])
    return 0.0


def killed_by_system(cgroup: str) -> int:
    """How many processes of this container the system has ended for want of memory."""
    for name in _COUNTS:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(os.path.join(cgroup, name), encoding="ascii") as file:
                return next((int(line.split()[1]) for line in file if line.split()[:1] == ["oom_kill"]), 0)
    return 0


def _told(what: str, name: str, use: Use) -> dict[str, Any]:
    return {"what": what, "name": name[-LONGEST_NAME:], "used": use.used, "limit": use.limit}


def _kernels(app: Any) -> dict[int, str]:
    """Processes of kernels, each with its kernel's id."""
    manager, found = app.kernel_manager, {}
    for kernel_id in manager.list_kernel_ids():
        with contextlib.suppress(Exception):  # ended since the list was made
            pid = getattr(getattr(manager.get_kernel(kernel_id), "provisioner", None), "pid", None)
            if isinstance(pid, int) and pid > 1:
                found[pid] = kernel_id
    return found


def _shells(app: Any) -> set[int]:
    manager = app.web_app.settings.get("terminal_manager")
    found = [getattr(getattr(one, "ptyproc", None), "pid", 0) for one in getattr(manager, "terminals", {}).values()]
    return {pid for pid in found if pid > 1}


async def _path(app: Any, kernel_id: str) -> str:
    found = app.session_manager.list_sessions()
    sessions = await found if inspect.isawaitable(found) else found
    of = [one for one in sessions if isinstance(one.get("kernel"), dict) and one["kernel"].get("id") == kernel_id]
    return str(of[0].get("path", "")) if of else ""
