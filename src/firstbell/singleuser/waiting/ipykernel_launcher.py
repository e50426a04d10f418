"""A Python kernel that waits to be one: it has loaded what ipykernel needs, and not begun.

Started as every kernel is, ``python -m ipykernel_launcher -f FILE``, but in this folder, where Python finds this module
first. Its standard input is a socket to the server. When the server names a notebook's folder and connection file, this
process takes them on and runs the real ``ipykernel_launcher``: everything that reads a configuration, a folder or the
environment happens then, as in a kernel that starts. Where something on disk has changed since, it starts Python over
in its place instead (``exec``): the same process, but nothing of what it had loaded.

Needs nothing but the standard library until then, and leaves nothing of its own behind.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any, Iterable

NAME = "ipykernel_launcher"
LOADED = (
    "ipykernel.kernelapp",
    "IPython.core.debugger",
    "psutil",
    "tornado.platform.asyncio",
    "faulthandler",
    "ipykernel.debugger",
    "IPython.core.oinspect",
    "sqlite3",
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "IPython.core.logger",
)
"""What ipykernel 6 and 7 import until their first cell has run."""
_STDIN = 0
_HERE, _GOOD, _DOUBTFUL = b"!", b"+", b"-"
"""Said to the server: this program runs; it has loaded all; what it has loaded may not be what is on disk."""
_FIRST_TO_DIE = "1000"
_TICK = 0.01
_SESSION = "JPY_SESSION_NAME"


def main() -> str:
    """Waits, becomes the kernel that was asked for, and returns the path of the program to run. Or does not return."""
    _say(_HERE)
    here = sys.path.pop(0)
    sys.path_importer_cache.pop(here, None)
    found = PathFinder.find_spec(NAME, sys.path)
    program = (found.origin if found else None) or ""
    before = _looked_at(_places())
    sys.argv[0] = program
    for name in LOADED:
        try:
            import_module(name)
        except Exception:  # the real launcher meets it again, and says so
            break
    before.update(_looked_at(_files()))
    started = _process_start()
    good = all(changed < started for changed, _, _ in before.values()) and _rewritten(sys.argv[2], sys.argv[2])
    killed_at = _first_to_be_killed()
    _say(_GOOD if good else _DOUBTFUL)
    asked = _asked()
    _become_killed_at(killed_at)
    _standard_input_as_of_a_kernel()
    os.chdir(asked["cwd"])
    if not (program and good and _looked_at(before) == before and _rewritten(sys.argv[2], asked["file"])):
        os.execvpe(asked["cmd"][0], asked["cmd"], asked["env"])  # noqa: S606 - the server's own command
    sys.argv[2] = asked["file"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = asked["cmd"]
    _take_on(asked["env"])
    sys.path.insert(0, os.getcwd())
    return program


def _say(word: bytes) -> None:
    try:
        os.write(_STDIN, word)
    except OSError:  # the server has ended: what it asked for, if anything, tells
        pass


def _asked() -> dict[str, Any]:
    """What the server asks for; the end of the process where the server ends first."""
    read = b""
    while not read.endswith(b"\n"):
        part = os.read(_STDIN, 1 << 16)
        if not part:
            os._exit(0)
        read += part
    asked: dict[str, Any] = json.loads(read)
    return asked


def _take_on(env: dict[str, str]) -> None:
    """The one variable by which this process's environment differs from the one that it is to have."""
    if _SESSION in env:
        os.environ[_SESSION] = env[_SESSION]
    else:
        os.environ.pop(_SESSION, None)


def _standard_input_as_of_a_kernel() -> None:
    """A pipe that nobody writes to, as `jupyter_client` gives it."""
    reading, writing = os.pipe()
    os.close(writing)
    os.dup2(reading, _STDIN)
    os.close(reading)


# -- has anything changed that a kernel started now would see?


def _places() -> list[str]:
    """Where Python looks for modules, and what said so: a package installed or removed changes one of them."""
    places = [sys.executable, os.path.realpath(sys.executable), os.path.join(sys.prefix, "pyvenv.cfg"), *sys.path]
    for folder in sys.path:
        try:
            places += [entry.path for entry in os.scandir(folder) if entry.name.endswith(".pth")]
        except OSError:
            pass
    return places


def _files() -> list[str]:
    """The files of all that is loaded."""
    return [file for file in (getattr(module, "__file__", None) for module in list(sys.modules.values())) if file]


def _looked_at(paths: Iterable[str]) -> dict[str, tuple[float, int, int]]:
    """The second of the last change, the inode and the size of each; zeros where there is nothing."""
    seen = {}
    for path in paths:
        try:
            found = os.stat(path)
            seen[path] = (found.st_mtime, found.st_ino, found.st_size)
        except OSError:
            seen[path] = (0.0, 0, 0)
    return seen


def _process_start() -> float:
    """Seconds since 1970 at which this process started, a tick early."""
    try:
        ticks = int(_stat()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.time() - age - _TICK
    except (OSError, ValueError, AttributeError):
        return 0.0


def _stat() -> list[bytes]:
    with open("/proc/self/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


# -- what others see of this process


def _rewritten(old: str, new: str) -> bool:
    """Puts `new` in the place of `old` in the command line that `ps` shows; False where that cannot be."""
    before, after = os.fsencode(old), os.fsencode(new)
    if len(before) != len(after):
        return False
    try:
        with open("/proc/self/cmdline", "rb") as file:
            line = file.read()
        start = int(_stat()[45])
        at = line.index(before)
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(start + at)
            memory.write(after)
        with open("/proc/self/cmdline", "rb") as file:
            return file.read() == line[:at] + after + line[at + len(before) :]
    except (OSError, ValueError, IndexError):
        return False


def _first_to_be_killed() -> str:
    """Where memory runs out, what waits goes before what works. Returns the way back, empty if there is none."""
    try:
        with open("/proc/self/oom_score_adj") as file:
            mine = file.read().strip()
        _become_killed_at(_FIRST_TO_DIE)
        _become_killed_at(mine)  # whether that may be undone is seen by doing so
        _become_killed_at(_FIRST_TO_DIE)
    except OSError:
        return ""
    return mine


def _become_killed_at(value: str) -> None:
    if value:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(value)


if __name__ == "__main__":
    _program = main()
    with open(_program, "rb") as _file:
        _code = compile(_file.read(), _program, "exec")
    exec(_code, {"__name__": "__main__", "__file__": _program, "__builtins__": __builtins__})  # noqa: S102 - ipykernel's
