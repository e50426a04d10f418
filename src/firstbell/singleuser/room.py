"""How much memory is left to this container, by its cgroup (version 1 or 2) and by the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

MIB = 1024**2
_NO_LIMIT = 1 << 50
"""Version 1 says a number near 2**63 where there is none."""
_CGROUP = "/sys/fs/cgroup"
_MEMINFO = "/proc/meminfo"
_WAYS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
"""Limit, use, statistics and the part of the use that the kernel gives back when asked; of version 2, of version 1."""


@dataclass(frozen=True)
class Room:
    """Bytes. ``limit`` is the container's, 0 where it has none; ``free`` is what is left of it and of the machine."""

    limit: int
    free: int
    machine_free: int


def look(cgroup: str = _CGROUP, meminfo: str = _MEMINFO) -> Room:
    """The room at this moment. Raises OSError, ValueError where the kernel does not say it as Linux does."""
    machine, machine_free = _machine(meminfo)
    limit, used = _container(cgroup)
    if limit is None or limit > machine:
        return Room(0, machine_free, machine_free)
    return Room(limit, min(limit - used, machine_free), machine_free)


def used(cgroup: str = _CGROUP) -> tuple[int, int]:
    """Bytes that this container uses, and may use (0: no limit). Raises OSError where the kernel does not say it."""
    limit, inside = _container(cgroup)
    if limit is None and not inside:
        raise OSError("no control group says how much memory is used")
    return inside, limit if limit is not None and limit < _NO_LIMIT else 0


def _container(cgroup: str) -> tuple[int | None, int]:
    for names in _WAYS:
        files = [os.path.join(cgroup, name) for name in names[:3]]
        if all(os.path.exists(file) for file in files):
            limit = _read(files[0]).strip()
            given_back = _value(_read(files[2]), names[3])
            return (None if limit == "max" else int(limit)), int(_read(files[1])) - given_back
    return None, 0


def _machine(meminfo: str) -> tuple[int, int]:
    text = _read(meminfo)
    return 1024 * _value(text, "MemTotal:"), 1024 * _value(text, "MemAvailable:")


def _value(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[:1] == [name]), 0)


def _read(file: str) -> str:
    with open(file, encoding="ascii") as opened:
        return opened.read()
