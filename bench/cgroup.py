"""What a container has used, from the kernel itself: control groups of either version, found by a process in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the container's start; bytes of memory without the page cache in no use."""

    cpu: float
    memory: int
    anonymous: int
    """Bytes that no file backs: heap and stacks."""


def usage(pid: int) -> Usage:
    """Of the container that process `pid` (as this machine numbers it) is in. Raises OSError where it is in none."""
    groups = _groups(pid)
    if "memory" in groups:
        return _first_version(_ROOT / "cpuacct" / groups["cpuacct"], _ROOT / "memory" / groups["memory"])
    return _second_version(_ROOT / groups[""])


def _groups(pid: int) -> dict[str, str]:
    """Controller → path; version 2 has one path, of the controller ""."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    triples = [line.split(":", 2) for line in lines]
    return {name: path.lstrip("/") for _, names, path in triples for name in names.split(",")}


def _first_version(cpu: Path, memory: Path) -> Usage:
    details = _numbers(memory / "memory.stat")
    return Usage(
        cpu=int((cpu / "cpuacct.usage").read_text()) / 1e9,
        memory=int((memory / "memory.usage_in_bytes").read_text()) - details["total_inactive_file"],
        anonymous=details["total_rss"],
    )


def _second_version(group: Path) -> Usage:
    details = _numbers(group / "memory.stat")
    return Usage(
        cpu=_numbers(group / "cpu.stat")["usage_usec"] / 1e6,
        memory=int((group / "memory.current").read_text()) - details["inactive_file"],
        anonymous=details["anon"],
    )


def _numbers(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}
