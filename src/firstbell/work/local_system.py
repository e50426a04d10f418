"""The machine as `work.machine` needs it: what is installed, who we are, running commands, asking the daemon."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from firstbell.engine.base import Report
from firstbell.errors import EngineUnavailable
from firstbell.model.image import Progress

SOCKET = "/var/run/docker.sock"
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_PID_FILE = "/run/firstbell-dockerd.pid"
_ENGINE_PID_FILE = "/var/run/docker.pid"


class Answer(StrEnum):
    """What comes back from the engine's socket."""

    YES = "yes"
    DENIED = "denied"
    NONE = "none"


class System(Protocol):
    """A machine on which an engine may have to be installed."""

    async def ask_engine(self, socket: str) -> Answer:
        """Whether an engine answers at `socket`, and whether we may speak to it."""
        ...

    def is_root(self) -> bool:
        """Whether we may install and start things."""
        ...

    def user(self) -> str:
        """Our account's name."""
        ...

    def has(self, program: str) -> bool:
        """Whether a program is installed."""
        ...

    def has_systemd(self) -> bool:
        """Whether process 1 is systemd."""
        ...

    def distribution(self) -> Mapping[str, str]:
        """`/etc/os-release`; empty where there is none."""
        ...

    async def run(self, argv: Sequence[str], report: Report, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Run a command, each line reported; its last lines. Raises CommandFailed."""
        ...

    def start_in_background(self, argv: Sequence[str], log: str) -> int:
        """Start a daemon in a session of its own with its output in `log`; its process id."""
        ...

    def is_alive(self, pid: int) -> bool:
        """Whether the daemon that we started still runs."""
        ...

    def engine_pid(self) -> int:
        """The process id of a daemon that is starting or running; 0 if there is none."""
        ...

    def tail(self, file: str, lines: int = 15) -> tuple[str, ...]:
        """The last lines of a file; nothing if it cannot be read."""
        ...


class CommandFailed(EngineUnavailable):
    """A command that was to bring the engine up ended with an error; the evidence is its last lines."""


class LocalSystem:
    """The machine this runs on."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    async def ask_engine(self, socket: str) -> Answer:
        """One ping; an engine that accepts and says nothing within 20 seconds counts as none."""
        try:
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_unix_connection(socket)
                try:
                    writer.write(_PING)
                    await writer.drain()
                    status = await reader.readline()
                finally:
                    writer.close()
        except PermissionError:
            return Answer.DENIED
        except (OSError, TimeoutError):
            return Answer.NONE
        return Answer.YES if b" 200 " in status else Answer.NONE

    def is_root(self) -> bool:
        """Effective user id 0."""
        return os.geteuid() == 0

    def user(self) -> str:
        """The login name, else the number."""
        return os.environ.get("USER") or str(os.geteuid())

    def has(self, program: str) -> bool:
        """On PATH or in the system's own folders, which PATH of an ordinary user may lack."""
        return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}") is not None

    def has_systemd(self) -> bool:
        """As sd_booted(3) decides it."""
        return Path("/run/systemd/system").is_dir()

    def distribution(self) -> Mapping[str, str]:
        """See os-release(5)."""
        try:
            lines = Path("/etc/os-release").read_text().splitlines()
        except OSError:
            return {}
        pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
        return {name: "".join(shlex.split(value)) for name, _, value in pairs}

    async def run(self, argv: Sequence[str], report: Report, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """The child ends with us: Ctrl-C reaches it as it reaches every process of the terminal."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        lines: list[str] = []
        try:
            assert process.stdout is not None
            async for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip()
                if line:
                    lines = [*lines[-19:], line]
                    report(Progress(line, is_output=True))
            code = await process.wait()
        except BaseException:
            if process.returncode is None:
                process.terminate()
                await process.wait()
            raise
        if code:
            raise CommandFailed(f"`{shlex.join(argv)}` failed (exit code {code})", evidence=lines[-15:])
        return tuple(lines)

    def start_in_background(self, argv: Sequence[str], log: str) -> int:
        """The process id is noted in /run, for whoever wants to end it."""
        if not self.engine_pid():
            # Left by a daemon that was killed; dockerd refuses to start if the number is somebody else's by now.
            Path(_ENGINE_PID_FILE).unlink(missing_ok=True)
        with Path(log).open("ab") as file:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, cwd="/"
            )
        self._children[child.pid] = child
        Path(_PID_FILE).write_text(f"{child.pid}\n")
        return child.pid

    def is_alive(self, pid: int) -> bool:
        """Ours by its handle, so that a number used again is not taken for it."""
        return pid in self._children and self._children[pid].poll() is None

    def engine_pid(self) -> int:
        """From dockerd's own pid file, checked against the process's name."""
        try:
            pid = int(Path(_ENGINE_PID_FILE).read_text())
            return pid if "dockerd" in Path(f"/proc/{pid}/comm").read_text() else 0
        except (OSError, ValueError):
            return 0

    def tail(self, file: str, lines: int = 15) -> tuple[str, ...]:
        """Read whole; these logs are small."""
        try:
            return tuple(Path(file).read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ()
