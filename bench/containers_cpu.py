"""CPU of containers that come and go: read from their control groups while they live, told apart by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.engine import Engine

_EVERY = 0.05
"""Seconds between two readings: what a container uses after the last one of its life is not seen."""
_CPU = ("cpuacct.usage", "cpu.stat")
_NAMED = 12
"""Digits of a container's id that tell it from all others."""


class ContainersCpu:
    """Inside the block every container of a course is followed; afterwards `of` says what some of them used."""

    def __init__(self, engine: Engine, course: str, beside: str) -> None:
        """`beside`: a running container, next to whose control group those of others are made."""
        self._engine = engine
        self._course = course
        self._groups = _groups_beside(engine, beside)
        self._used: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._over = threading.Event()

    def of(self, is_wanted: Callable[[str], bool]) -> tuple[float, int]:
        """CPU seconds of the containers with such names, and how many they were."""
        wanted = [known for known, name in self._names.items() if is_wanted(name)]
        return sum(self._used.get(known, 0.0) for known in wanted), len(wanted)

    def __enter__(self) -> Self:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        del kind, error, at
        self._over.set()
        self._reader.join()

    def _read(self) -> None:
        while not self._over.wait(_EVERY):
            for group in self._groups.iterdir():
                if len(known := _id_of(group.name)) == _NAMED:
                    with suppress(OSError, ValueError):
                        self._used[known] = _cpu(group)

    def _listen(self) -> None:
        for event in self._engine.stream(self._course):
            self._names[event["id"][:_NAMED]] = event["Actor"]["Attributes"]["name"]


def _groups_beside(engine: Engine, container: str) -> Path:
    pid = engine.call("GET", f"/containers/{container}/json")["State"]["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "cpuacct" in names.split(",") or not names:
            return Path("/sys/fs/cgroup", "cpuacct" if names else "", path.lstrip("/")).parent
    raise OSError(f"{container} is in no control group")


def _id_of(name: str) -> str:
    """`docker-ID.scope` or `ID`: the beginning of the id."""
    return name.removeprefix("docker-")[:_NAMED]


def _cpu(group: Path) -> float:
    if (first := group / _CPU[0]).exists():
        return int(first.read_text()) / 1e9
    return int((group / _CPU[1]).read_text().split()[1]) / 1e6
