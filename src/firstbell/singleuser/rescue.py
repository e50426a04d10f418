"""A home in which nothing can be written: its server starts all the same, with what it writes itself kept elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from typing import Any, Callable

from .home_room import LEAST_BYTES, LEAST_FILES

VARIABLE = "FIRSTBELL_RESCUE"
"""Names the folder that stands in for the home; in servers that are in no need of one it is not there."""
FULL = (errno.ENOSPC, errno.EDQUOT)
_MEMORY = "/dev/shm"  # noqa: S108 - the container's own memory; what is made in it is its user's alone
_LARGEST_SETTING = 64 * 1024


def is_full(home: str) -> bool:
    """Whether the home takes next to nothing. It is tried: limits of users and file servers say so only then."""
    trial = os.path.join(home, f".firstbell-trial-{os.getpid()}")
    try:
        found = os.statvfs(home)
        if found.f_files and found.f_favail < LEAST_FILES:
            return True
        with open(trial, "xb", buffering=0) as file:
            left = LEAST_BYTES
            while left > 0:
                left -= file.write(bytes(min(left, 65536))) or 0
    except OSError as error:
        return error.errno in FULL
    finally:
        with contextlib.suppress(OSError):
            os.unlink(trial)
    return False


def scratch(prefix: str, places: tuple[str, ...] = (_MEMORY,)) -> str:
    """A new folder: where temporary files go, else in memory. Raises OSError where neither takes one."""
    try:
        return tempfile.mkdtemp(prefix=prefix)
    except OSError:
        for place in places:
            with contextlib.suppress(OSError):
                return tempfile.mkdtemp(prefix=prefix, dir=place)
        raise


def begin(home: str, environ: Any = os.environ) -> bool:
    """Before Jupyter is loaded: whether this server is in need; what it writes then goes to memory."""
    environ.pop(VARIABLE, None)
    if not is_full(home):
        return False
    folder = _stand_in()
    print(f"firstbell: the home {home} is full; this server keeps its own notes in {folder}", file=sys.stderr)
    environ.update(_environment(home, folder, environ))
    with contextlib.suppress(OSError):
        _bring_settings(os.path.join(home, ".jupyter", "lab", "user-settings"), environ["JUPYTERLAB_SETTINGS_DIR"])
    return True


def _stand_in() -> str:
    try:
        return tempfile.mkdtemp(prefix="firstbell-rescue-", dir=_MEMORY)
    except OSError:
        return tempfile.mkdtemp(prefix="firstbell-rescue-")


def _environment(home: str, folder: str, environ: Any) -> dict[str, str]:
    """Where Jupyter, IPython and caches write; where they read stays in their path."""

    def behind(variable: str, own: str, usual: str) -> str:
        old = environ.get(own) or os.path.join(home, usual)
        return os.pathsep.join(filter(None, [environ.get(variable, ""), old]))

    told = {
        VARIABLE: folder,
        "JUPYTER_PATH": behind("JUPYTER_PATH", "JUPYTER_DATA_DIR", os.path.join(".local", "share", "jupyter")),
        "JUPYTER_CONFIG_PATH": behind("JUPYTER_CONFIG_PATH", "JUPYTER_CONFIG_DIR", ".jupyter"),
    }
    ours = {
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "IPYTHONDIR": "ipython",
        "XDG_CACHE_HOME": "cache",
    }
    for name in ours.values():
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    return {**told, **{variable: os.path.join(folder, name) for variable, name in ours.items()}}


def _bring_settings(source: str, target: str) -> None:
    """What its person has set in Lab: small files."""
    for parent, _, names in os.walk(source):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path) and os.path.getsize(path) <= _LARGEST_SETTING:
                place = os.path.join(target, os.path.relpath(path, source))
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copyfile(path, place)


def delete_for_good(manager: Any, has_room: Callable[[], bool]) -> None:
    """From now on what is deleted in Lab goes to the trash, which is in the home, only while that has room."""
    delete, wanted = getattr(manager, "delete_file", None), getattr(manager, "delete_to_trash", None)
    if delete is None or wanted is None:
        return  # not files of the home: somebody's own manager
    whole = bool(manager.always_delete_dir)

    def delete_file(*args: Any, **kwargs: Any) -> Any:
        roomy = has_room()
        manager.delete_to_trash = wanted and roomy
        manager.always_delete_dir = whole or not roomy
        return delete(*args, **kwargs)

    manager.delete_file = delete_file
