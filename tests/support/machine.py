"""Another machine: a Docker Engine with nothing on it, in network and mount namespaces of its own. Needs root.

It has a loopback device and no other way out or in; `share` and `reach` carry single ports of loopback across.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cut import copy

_CLONE_NEWNET = 0x40000000
_PATIENCE = 90.0
_START = """\
set -e
hostname {name}
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p {folder}/engine
mount -t tmpfs tmpfs {folder}/engine
ip link set lo up
exec dockerd --data-root {folder}/engine --exec-root /run/docker --pidfile /run/docker.pid \
    --host unix:///run/docker.sock --cgroup-parent /{name}
"""


@dataclass
class Machine:
    """`run` a command there; `docker` is run with its own engine."""

    pid: int
    """Of the engine, whose namespaces are the machine's."""
    _ends: ExitStack = field(default_factory=ExitStack)

    def run(
        self,
        *words: str | Path,
        check: bool = True,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A command on that machine; without any variables but PATH, HOME and those given."""
        result = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--net", "--mount", "--uts",
             *(["--wd=" + str(cwd)] if cwd else []), "--", *words],
            env={"PATH": os.environ["PATH"], "HOME": "/root", **(environment or {})},
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert not check or result.returncode == 0, f"{words}\n{result.stdout}\n{result.stderr}"
        return result

    def docker(self, *words: str | Path, check: bool = True) -> str:
        """The docker command there; its output."""
        return self.run("docker", *words, check=check).stdout.strip()

    def hide(self, path: Path) -> None:
        """Let a program not be there."""
        self.run("mount", "--bind", "/dev/null", path)

    def share(self, port: int) -> None:
        """What listens on this machine's loopback can be had from that one's, at the same port."""
        self._carry(self._there(lambda: _listening(port)), lambda: _connected(port))

    def reach(self, port: int) -> None:
        """What listens on that machine's loopback can be had from this one's, at the same port."""
        self._carry(_listening(port), lambda: self._there(lambda: _connected(port)))

    def _carry(self, listening: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._ends.callback(listening.close)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(target=_relay, args=(client, connect), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        # shutdown() wakes accept(), which close() alone does not
        self._ends.callback(lambda: _quietly(listening))

    def _there(self, make: Callable[[], socket.socket]) -> socket.socket:
        """A socket of that machine's network: a socket stays where it was made, whoever uses it."""
        made: list[socket.socket | OSError] = []

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/proc/{self.pid}/ns/net").open() as space:
                assert libc.setns(space.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                made.append(make())
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=enter)  # the namespace is the thread's own, and ends with it
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]


@contextmanager
def machine(folder: Path, name: str = "fbtest") -> Iterator[Machine]:
    """An empty machine; stopped, with all that runs on it, at the end. Its engine keeps images in memory."""
    log = folder / "dockerd.log"
    script = _START.format(name=name, folder=folder)
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "sh", "-c", script], stdout=out, stderr=out, start_new_session=True
        )
    made = Machine(daemon.pid)
    try:
        _answers(made, daemon, name, log)
        yield made
    finally:
        made._ends.close()
        if daemon.poll() is None:
            _remove_all(made)
            daemon.terminate()
            daemon.wait(60)


def _answers(made: Machine, daemon: subprocess.Popen[bytes], name: str, log: Path) -> None:
    """Wait for the engine; by its name, since before the namespaces are made this machine's own would answer."""
    until = time.monotonic() + _PATIENCE
    while made.docker("info", "--format", "{{.Name}}", check=False) != name:
        assert daemon.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.2)


def _remove_all(made: Machine) -> None:
    if containers := made.docker("ps", "-aq", check=False).split():
        made.docker("rm", "-fv", *containers, check=False)


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=None)


def _quietly(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)


def _relay(client: socket.socket, connect: Callable[[], socket.socket]) -> None:
    with client, contextlib.suppress(OSError), connect() as server:
        answers = threading.Thread(target=copy, args=(server, client), daemon=True)
        answers.start()
        copy(client, server)
        answers.join()


def give(there: Machine, images: Sequence[str]) -> None:
    """Copy images of this machine's engine to that one's."""
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
        words = ["nsenter", f"--target={there.pid}", "--net", "--mount", "--", "docker", "load"]
        subprocess.run(words, stdin=save.stdout, check=True, capture_output=True)
    assert save.returncode == 0
