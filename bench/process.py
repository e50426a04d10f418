"""Processes of this machine: their families, what they use, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds since the start; bytes of memory."""

    cpu: float
    memory: int
    """Shared pages by their share, which grows when somebody else who had them ends."""
    anonymous: int
    """That no file backs: heap and stacks."""


def usage_of(pids: Iterable[int]) -> Used:
    """Of all of them together; those that have ended meanwhile count nothing."""
    known = tuple(pids)
    details = [_details(pid) for pid in known]
    return Used(
        cpu=sum(map(_cpu, known)),
        memory=sum(found.get("Pss", 0) for found in details),
        anonymous=sum(found.get("Anonymous", 0) for found in details),
    )


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(int(child)))]


def end(process: subprocess.Popen[bytes], deadline: float = 30) -> None:
    """SIGTERM; what is left of its family when it has ended, or after the deadline, is killed."""
    everybody = family(process.pid)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=deadline)
    for pid in everybody:
        # A child whose parent has ended is reaped by somebody else, and its number is not given again so soon.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(timeout=10)


def _cpu(pid: int) -> float:
    """In ticks of a hundredth of a second, as the kernel keeps them; ended threads count, ended children do not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _details(pid: int) -> dict[str, int]:
    """Bytes by name, as the kernel sums them up; nothing of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
