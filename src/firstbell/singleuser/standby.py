"""A launcher that was started before anybody came: it has no settings file, and is told its settings when they do.

It is told on its standard input, one line of JSON, by whoever keeps that open. Should they end without a word, so does
it. Meanwhile Jupyter's modules are loaded, nothing of Jupyter runs, and nothing is read from or written to the home.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile

from . import settings
from .stops import EX_CONFIG, Stop

_WORDS = "its standard input"


def is_one() -> bool:
    """Is this process to wait for its settings?"""
    if os.path.exists(settings.place()):
        return False
    try:
        return stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:  # closed
        return False


def wait() -> str:
    """The settings, as they came. Ends the process where nobody will ever come; standard input is empty afterwards."""
    with os.fdopen(os.dup(0), "rb") as pipe:
        line = pipe.readline()
    if not line.endswith(b"\n"):
        os._exit(0)  # nothing has begun that could be cleaned up
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return line.decode("utf-8")


def told(text: str) -> settings.Told:
    """The settings in what came. Raises ``Stop`` where it is incomplete."""
    try:
        raw = json.loads(text)
    except ValueError:
        # The text of the error would quote what came, and with it the token.
        raise Stop(EX_CONFIG, "what came on " + _WORDS + " is not JSON: stop and start the server anew") from None
    return settings.told(raw, _WORDS)


def leave_behind(text: str) -> None:
    """Puts the settings into a file of this user's, where a process begun by this one finds them."""
    handle, path = tempfile.mkstemp(prefix="firstbell-server-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.environ[settings.PATH_VARIABLE] = path


def say_ready() -> None:
    """One line of the log: how far it has come."""
    print("firstbell: waiting for somebody to come", file=sys.stderr, flush=True)
