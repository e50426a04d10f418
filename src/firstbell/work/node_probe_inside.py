"""Looks at a node from a container in its own network. Runs there; standard library only.

Prints one line of JSON: free and total bytes and inodes where the engine keeps containers, memory in bytes, the address
it speaks from, and what came back from each `ADDRESS:PORT` among the arguments.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_DEADLINE = 4.0
"""Seconds; a SYN that is lost is sent again after one and after three."""


def knock(target: str) -> list[str]:
    """[target, answer, why]: open, refused or silent."""
    address, _, port = target.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=_DEADLINE).close()
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        why = "" if refused else "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        return [target, "refused" if refused else "silent", why]
    return [target, "open", ""]


def memory() -> list[int]:
    """MemTotal and MemAvailable in bytes."""
    with Path("/proc/meminfo").open(encoding="ascii") as file:
        rows = {line.split(":")[0]: line.split()[1] for line in file}
    return [int(rows[name]) * 1024 for name in ("MemTotal", "MemAvailable")]


def source(targets: list[str]) -> str:
    """The address from which this node speaks to the first target; nothing is sent to find out."""
    if not targets:
        return ""
    address, _, port = targets[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((address, int(port)))
        except OSError:
            return ""
        return str(trial.getsockname()[0])


def main(targets: list[str]) -> None:
    """Look, and print."""
    disk = os.statvfs("/")
    with ThreadPoolExecutor(max_workers=max(len(targets), 1)) as pool:
        ports = list(pool.map(knock, targets))
    said = {
        "disk": [disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize, disk.f_favail, disk.f_files],
        "memory": memory(),
        "source": source(targets),
        "ports": ports,
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
