"""The project's ``start`` script, around the server: repo2docker's convention.

``start`` gets the server's command as its arguments and ends with ``exec "$@"``; what it exports, kernels see. The
launcher stays as its parent: a script that ends before the server began would leave no trace of why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Any

from .stops import EX_CONFIG, Stop

PATH = "/opt/firstbell/start"
PATH_VARIABLE = "FIRSTBELL_START"
_BEGUN = "--begun-by-start"
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2")


def wanted() -> bool:
    """Is there a start script that this process is to run?

    Not in the process that the script itself has begun, which is known by an argument: that survives whatever the
    script does with the environment. Tells the process that ran the script that the server's turn has come.
    """
    if _BEGUN in sys.argv:
        at = sys.argv.index(_BEGUN)
        with contextlib.suppress(OSError, IndexError):
            os.unlink(sys.argv[at + 1])
        return False
    return os.path.isfile(_path()) and os.access(_path(), os.X_OK)


def run() -> int:
    """Runs the start script, and with it the server, to the end; returns the exit code.

    Raises ``Stop`` where the script cannot be run, or ends by itself before the server began.
    """
    with tempfile.TemporaryDirectory(prefix="firstbell-start-") as folder:
        mark = os.path.join(folder, "not-yet-begun")
        with open(mark, "w"):
            pass
        code, told_to_end = _wait(_spawn([_path(), sys.executable, os.path.abspath(sys.argv[0]), _BEGUN, mark]))
        if os.path.exists(mark) and not told_to_end:
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise Stop(
                EX_CONFIG,
                f'start {ended} before the server began: its last lines are above; it must end with exec "$@"',
            )
        if os.path.exists(mark):
            return 0  # as the launcher itself, when it is told to end before there is anything to clean up
    return 128 - code if code < 0 else code


def _wait(child: "subprocess.Popen[bytes]") -> tuple[int, bool]:
    """The exit code, negative for a signal's, and whether we were told to end; hands signals on meanwhile."""
    told: list[int] = []

    def forward(number: int, _frame: Any) -> None:
        told.append(number)
        # A terminal's Control-C has reached the whole group already.
        if not (number == signal.SIGINT and os.isatty(0)):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    for name in _FORWARDED:
        signal.signal(getattr(signal, name), forward)
    return child.wait(), bool(told)


def _path() -> str:
    return os.environ.get(PATH_VARIABLE) or PATH


def _spawn(command: list[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # no "#!" line: as a shell would
            return subprocess.Popen([shutil.which("bash") or "/bin/sh", *command])
        hint = "; is its first line the path of a program, without a Windows line end?" if _first_line_is_odd() else ""
        raise Stop(EX_CONFIG, f"start cannot be run: {error.strerror}{hint}") from None


def _first_line_is_odd() -> bool:
    try:
        with open(_path(), "rb") as file:
            line = file.readline(256)
    except OSError:
        return False
    return line.startswith(b"#!") and (line.endswith(b"\r\n") or not os.path.exists(line[2:].split()[0]))
