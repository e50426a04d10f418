"""Keeps a Python kernel waiting behind the server, so that opening a notebook takes one that is loaded already.

What waits is not a kernel yet (see ``waiting/ipykernel_launcher.py``): jupyter_server neither knows nor lists it. Only
the function by which jupyter_client makes a process is ours: it hands out the process that waits where a new one would
be the same, and makes a new one otherwise. All else of starting, restarting and ending a kernel stays jupyter_server's.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
import uuid
from string import Template
from typing import Any, Sequence

from . import prompt, room
from .spare import PARENT, SESSION, Recipe, Spare, recipe

PAGE_SECONDS = 1.5
"""After the first page: JupyterLab's scripts have run by then, and have asked for what they need."""
SETTLE_SECONDS = 3.0
"""After a kernel was started: its first cells come before the next one that waits."""
LOOK_SECONDS = 20.0
"""Between looks at memory."""
PATIENCE = 3
"""Unused ones that ended, or were of no use, in a row, after which no more are made."""
SPARE = 48 * room.MIB
"""What one takes, rounded up (docs/decisions/0019)."""
_MACHINE_KEEPS = 256 * room.MIB


class Warm:
    """The one kernel that waits behind a server, and when it is made."""

    def __init__(self, app: Any) -> None:
        self._log, self._kernels, self._when = app.log, app.kernel_manager, app.settings.warm_kernels
        self._recipe: Recipe | None = None
        self._spare: Spare | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thread = 0
        self._lost = 0
        self._expecting = False

    def serving(self) -> None:
        """Called in the event loop, when the server answers."""
        if self._when not in ("page", "start") or not self._install():
            return
        self._thread = threading.get_ident()
        if self._when == "start":
            self.later(0)

    def page_shown(self) -> None:
        """Called when a browser gets a page; the first counts."""
        if self._thread and self._when == "page" and self._timer is None:
            self.later(PAGE_SECONDS)

    def end(self) -> None:
        """Ends what waits. Without it, what waits ends by itself when this process does."""
        if self._timer is not None:
            self._timer.cancel()
        self._drop()

    def give_up(self) -> None:
        """Ends what waits at once: somebody's work needs the memory."""
        self._drop()

    def _install(self) -> bool:
        """Takes the place of jupyter_client's function; False where this server's kernels do not start through it."""
        try:
            local_provisioner: Any = importlib.import_module("jupyter_client.provisioning.local_provisioner")
            from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

            self._launch = local_provisioner.launch_kernel
        except (ImportError, AttributeError):
            return False
        other = os.environ.get("JUPYTER_DEFAULT_PROVISIONER_NAME")
        if other or type(self._kernels) is not AsyncMappingKernelManager:
            self._log.info("firstbell: no kernel waits, as %s starts them", other or type(self._kernels).__name__)
            return False
        local_provisioner.launch_kernel = self.launch
        return True

    def launch(self, cmd: Sequence[str], **how: Any) -> Any:
        """In the place of ``jupyter_client.launcher.launch_kernel``: the process of a kernel."""
        env, cwd = how.get("env"), str(how.get("cwd") or os.getcwd())
        # Whoever starts kernels in a thread of their own, as converting a notebook may, is not waited for by anybody.
        if env is None or set(how) - {"env", "cwd"} or threading.get_ident() != self._thread:
            return self._launch(cmd, **how)
        made_of = recipe(cmd, env)
        if made_of is None:
            return self._launch(cmd, **how)
        self._recipe = made_of
        self.later(SETTLE_SECONDS)
        spare, self._spare = self._spare, None
        if spare is not None:
            if spare.fits(cmd, env, cwd) and spare.become(cmd, env, cwd):
                self._lost = 0
                return spare.process
            spare.end()
        return self._launch(cmd, **how)

    def later(self, seconds: float) -> None:
        """Looks after what waits ``seconds`` from now, in the place of an earlier such wish."""
        if self._timer is not None:
            self._timer.cancel()
        if self._lost < PATIENCE:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Makes one where there is none and room for it, gives it up where memory got short, and looks again later."""
        try:
            now = room.look()
            if self._spare is not None and not self._spare.of_use():
                self._drop()
                self._lost += 1
            elif self._spare is not None and is_short(now):
                self._drop()
            elif self._spare is None and has_room(now):
                self._make()
        except Exception:  # whatever it is: kernels start as they always did
            self._lost += 1
            self._log.debug("firstbell: no kernel waits now", exc_info=True)
        self.later(LOOK_SECONDS)
        if self._lost >= PATIENCE:
            self._log.info("firstbell: no kernel waits any more, as %d did not last", PATIENCE)

    def _make(self) -> None:
        self._recipe = self._recipe or self._default()
        if self._recipe is not None:
            self._spare = Spare(self._recipe, self._launch)
            if not self._expecting:
                self._expecting = True
                prompt.expect_a_notebook()

    def _drop(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.end()

    def _default(self) -> Recipe | None:
        """The recipe of a new notebook's kernel, before any was started."""
        kernels = self._kernels
        name = kernels.default_kernel_name
        spec = kernels.kernel_spec_manager.get_kernel_spec(name)
        if (spec.metadata or {}).get("kernel_provisioner"):
            return None
        file = os.path.realpath(os.path.join(kernels.connection_dir, f"kernel-{uuid.uuid4()}.json"))
        one = kernels.kernel_manager_factory(
            connection_file=file, parent=kernels, kernel_name=name, kernel_spec_manager=kernels.kernel_spec_manager
        )
        one._launch_args = {}
        env = {**os.environ, SESSION: ""}
        env.update({key: Template(value).safe_substitute(env) for key, value in (spec.env or {}).items()})
        if (spec.language or "").lower().startswith("python"):
            env.pop("PYTHONEXECUTABLE", None)
        env.pop(PARENT, None)
        return recipe(one.format_kernel_cmd(), env)


def has_room(now: room.Room) -> bool:
    """Is there room for one that waits, and as much again as a quarter of all for the person's own work?"""
    return now.free >= SPARE + now.limit // 4 and now.machine_free >= SPARE + _MACHINE_KEEPS


def is_short(now: room.Room) -> bool:
    """Is memory so short that what only waits is to go?"""
    return now.free < now.limit // 8 or now.machine_free < _MACHINE_KEEPS // 2
