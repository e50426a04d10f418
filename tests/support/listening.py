"""Ports of this machine: a free one, and whether somebody answers there already."""

from __future__ import annotations

import socket
import subprocess

import stamina


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_for_port(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process answers there; for 20 s at most. Fails when it has ended."""
    for attempt in stamina.retry_context(on=OSError, attempts=60, timeout=20, wait_initial=0.05, wait_max=0.5):
        with attempt:
            assert process.poll() is None, f"{process.args!r} has ended"
            socket.create_connection((address, port), timeout=1).close()
