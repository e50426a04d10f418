"""One kernel that waits, seen from the server: the process, the socket to it, and what it was started as."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "waiting")
SESSION, PARENT = "JPY_SESSION_NAME", "JPY_PARENT_PID"
_MODULE = ["-m", "ipykernel_launcher", "-f"]
_OPTIONS = re.compile(r"-(u|O|OO|B|X.+)$")
_DOUBTFUL = b"-"
_SEND_SECONDS = 0.5


@dataclass(frozen=True)
class Recipe:
    """What a kernel is started from: its command but for the connection file, and its environment but for the notebook.

    ``folder`` holds connection files.
    """

    python: Sequence[str]
    folder: str
    env: Mapping[str, str]


def recipe(cmd: Sequence[str], env: Mapping[str, str]) -> Recipe | None:
    """The recipe of the Python kernel that ``cmd`` starts; None if it is another kind, or cannot be made beforehand."""
    python, end = list(cmd[:-4]), list(cmd[-4:])
    if not python or end[:3] != _MODULE or not all(_OPTIONS.match(option) for option in python[1:]):
        return None
    if any(word.startswith("~") for word in cmd):
        return None
    paths = env["PYTHONPATH"].split(os.pathsep) if "PYTHONPATH" in env else []
    if env.get("PYTHONSAFEPATH") or not all(os.path.isabs(path) for path in paths):
        return None  # modules would be looked for elsewhere than in the kernel's folder, or in it too early
    mine = {name: value for name, value in env.items() if name != PARENT}
    mine.setdefault(SESSION, "")
    return Recipe(tuple(python), os.path.dirname(end[3]), mine)


def _bare(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in (SESSION, PARENT)}


class Spare:
    """A kernel that waits. ``launch`` is jupyter_client's own function that starts one."""

    def __init__(self, made_of: Recipe, launch: Callable[..., Any]) -> None:
        self.made_of = made_of
        name = f"kernel-{uuid.uuid4()}.json"
        self._file = os.path.join(made_of.folder, name)
        self._cmd = [*made_of.python, *_MODULE, self._file]
        self._said = b""
        self._socket, theirs = socket.socketpair()
        try:
            env = dict(made_of.env, **{SESSION: ""})
            self.process: subprocess.Popen[bytes] = launch(self._cmd, stdin=theirs.fileno(), env=env, cwd=FOLDER)
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()

    def of_use(self) -> bool:
        """Does it run, and could it be used? What it loaded while files were changing is not."""
        with contextlib.suppress(BlockingIOError):
            self._said += self._read()
        return self.process.poll() is None and _DOUBTFUL not in self._said

    def fits(self, cmd: Sequence[str], env: Mapping[str, str], cwd: str) -> bool:
        """Would a kernel started so be the same?"""
        return (
            len(cmd[-1]) == len(self._file)
            and [*cmd[:-1], self._file] == self._cmd
            and _bare(env) == _bare(self.made_of.env)
            and os.path.isdir(cwd)
            and os.access(cwd, os.X_OK)
        )

    def become(self, cmd: Sequence[str], env: Mapping[str, str], cwd: str) -> bool:
        """Makes it that kernel; False if it cannot be had. It may still be loading: then it begins when it has."""
        if not self.of_use() or not self._said:
            return False
        asked = {"cmd": list(cmd), "file": cmd[-1], "env": dict(env, **{PARENT: str(os.getpid())}), "cwd": cwd}
        try:
            self._socket.settimeout(_SEND_SECONDS)
            self._socket.sendall(json.dumps(asked).encode() + b"\n")
        except OSError:
            return False
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._let_go)
        self.process.args = list(cmd)
        return True

    def _let_go(self) -> None:
        """Closes this end when the kernel has closed its own: closed with a word unread, the other could not hear."""
        with contextlib.suppress(BlockingIOError):
            if not self._read():
                asyncio.get_running_loop().remove_reader(self._socket)
                self._socket.close()

    def _read(self) -> bytes:
        try:
            return self._socket.recv(16, socket.MSG_DONTWAIT)
        except ConnectionError:
            return b""

    def end(self) -> None:
        """Ends it, whatever it does. It waits for nothing and holds nothing, so no mercy is needed."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
