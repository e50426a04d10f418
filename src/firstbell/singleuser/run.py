"""From the process's start to the running server: the order matters, so it stands here in one place."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import warnings
from typing import Any

from . import content, lean, packages, remembered, rescue, settings, standby, start_hook
from .stops import EX_CANTCREAT, EX_CONFIG, EX_UNAVAILABLE, Stop


def main() -> int:
    """Runs the server until it is told to stop; returns the exit code."""
    if sys.argv[1:2] == ["--static"]:
        from . import static_layout

        return static_layout.main()
    began = _process_start()
    try:
        return _run(began)
    except Stop as stop:
        print(f"firstbell: {stop.message}", file=sys.stderr)
        return stop.code


def _run(began: float) -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until Jupyter has its own: nothing to clean up yet
    by_start, came = start_hook.wanted(), ""
    if standby.is_one():
        if not by_start:
            _load()
            from . import server  # noqa: F401 - only servers of hubs are started ahead
        standby.say_ready()
        came, began = standby.wait(), time.monotonic()
        if by_start:
            standby.leave_behind(came)
    told = standby.told(came) if came else settings.load()
    if os.geteuid() == 0 and not told.allow_root:
        raise Stop(EX_CONFIG, "a server must not run as root; the course's image or settings start it as root")
    _need_jupyter_server()
    home = _home()
    if isinstance(told, settings.Settings) and told.lease > 0:
        from . import lease

        lease.begin(told)
    listener = None if by_start else _listen(told.ip, told.port)
    for line in content.deliver(told.project, home).lines():
        print(f"firstbell: {line}", file=sys.stderr)
    rescue.begin(home)
    ways = _packages(home)
    _environment(told, ways)
    os.chdir(home)
    if listener is None:
        return start_hook.run()
    if not came:
        _load()
    _build(told, ways, listener, began).start()
    return 0


def _load() -> None:
    """Jupyter's modules, in the way that makes the start short."""
    lean.begin()
    remembered.begin()
    # Extensions whose handlers do not say who may call them: with allow_unauthenticated_access off, nobody may unasked.
    warnings.filterwarnings("ignore", message="Extension endpoints without")


def _build(told: settings.Told, ways: packages.Packages, listener: socket.socket, began: float) -> Any:
    """The server, of the kind that the settings ask for; only that one's modules are loaded."""
    if isinstance(told, settings.Alone):
        from . import alone

        return alone.build(told, ways, listener, began)
    from . import server

    return server.build(told, ways, listener, began)


def _need_jupyter_server() -> None:
    from importlib.util import find_spec

    if find_spec("jupyter_server") is None:
        raise Stop(
            EX_CONFIG,
            f"this image's Python ({sys.executable}) has no jupyter_server; add jupyterlab to the image's packages",
        )


def _home() -> str:
    home = os.path.expanduser("~")
    if not os.path.isdir(home):
        raise Stop(EX_CANTCREAT, f"the home {home} does not exist")
    if not os.access(home, os.W_OK | os.X_OK):
        owner = os.stat(home).st_uid
        raise Stop(
            EX_CANTCREAT, f"the home {home} cannot be written: it is uid {owner}'s, this server is uid {os.geteuid()}"
        )
    return home


def _listen(ip: str, port: int) -> socket.socket:
    """The listening socket, before anything slow: connections wait in its queue until the server can serve them."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ip, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise Stop(EX_UNAVAILABLE, f"port {port} of {ip} cannot be used: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _packages(home: str) -> packages.Packages:
    try:
        ways = packages.prepare(home)
    except OSError as error:
        # A full home must open all the same, or its owner could not make room.
        print(f"firstbell: pip install will not work in this home: {error.strerror}", file=sys.stderr)
        return packages.Packages(sys.executable, "")
    sys.path[:] = packages.reorder(sys.path, ways.library)
    return ways


def _environment(told: settings.Told, ways: packages.Packages) -> None:
    os.environ.update(told.env)  # what JupyterHub gives its servers; kernels and extensions expect it
    os.environ.update(ways.env)
    if "JUPYTER_RUNTIME_DIR" not in os.environ:
        # Connection files are of this container's processes: no leftovers in the home, no file server in between.
        os.environ["JUPYTER_RUNTIME_DIR"] = rescue.scratch("jupyter-runtime-")
    for name in ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTERHUB_SERVICE_URL"):
        os.environ.pop(name, None)


def _process_start() -> float:
    """Monotonic time at which this process was started, from Linux's /proc; elsewhere: now."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        age: Any = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.monotonic() - float(age)
    except (OSError, ValueError, AttributeError, IndexError):
        return time.monotonic()
