"""What the machine does during a rehearsal: CPU and memory of the course's parts, once a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.proc import parse_meminfo
from firstbell.rehearsal.record import Sample

SERVICES = (Role.HUB, Role.PROXY, Role.EDGE)
_EVERY = 1.0
_ENGINE_PROGRAMS = frozenset({"dockerd", "containerd"})
_PROC = Path("/proc")


class Sampler:
    """Looks once a second, from `start` on; CPU counts from there."""

    def __init__(self, engine: Engine, course: Course, inside: Callable[[], int], *, is_local: bool) -> None:
        self._engine = engine
        self._names = {names.container(course.name, role): role.value for role in SERVICES}
        self._inside = inside
        self._is_local = is_local
        self._engine_pids = _pids(_ENGINE_PROGRAMS) if is_local else ()
        self._zero: dict[str, float] = {}
        self._began = 0.0
        self.samples: list[Sample] = []

    async def start(self, began: float) -> None:
        """Take the zero of all counters; `began` (Unix seconds) is that of the clock."""
        self._began = began
        self._zero, _ = await self._look()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(_EVERY)

    async def sample(self) -> None:
        """One look; none where the engine is too busy to answer."""
        try:
            cpu, memory = await self._look()
        except EngineUnavailable:
            return
        used = {part: round(value - self._zero.get(part, 0.0), 3) for part, value in cpu.items()}
        self.samples.append(Sample(round(time.time() - self._began, 2), self._inside(), used, memory))

    async def _look(self) -> tuple[dict[str, float], dict[str, int]]:
        cpu: dict[str, float] = {}
        memory: dict[str, int] = {}
        for usage in await self._engine.usage(self._names):
            part = self._names[usage.name]
            cpu[part], memory[part] = usage.cpu_seconds, usage.memory
        if self._is_local:
            cpu["engine"] = sum(_cpu(pid) for pid in self._engine_pids)
            cpu["machine"] = machine_cpu()
            memory["available"] = machine_memory()[1]
        return cpu, memory


def machine_cpu() -> float:
    """CPU seconds that this machine has been busy since it started (/proc/stat, all but idle and iowait)."""
    numbers = [int(word) for word in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")


def machine_memory() -> tuple[int, int]:
    """Bytes of this machine, and of these the available; zeros where the kernel does not tell."""
    try:
        found = parse_meminfo((_PROC / "meminfo").read_text())
    except OSError:
        return 0, 0
    return found.get("MemTotal", 0), found.get("MemAvailable", 0)


def _pids(programs: frozenset[str]) -> tuple[int, ...]:
    found = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() in programs:
                found.append(int(folder.name))
        except OSError:
            continue
    return tuple(found)


def _cpu(pid: int) -> float:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
