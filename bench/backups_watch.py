"""What happens beside people at work, phase by phase: how long each took, and whose CPU it was."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import machine, process
from bench.at_work import PeopleAtWork
from bench.backups_report import CALM, Phase
from bench.containers_cpu import ContainersCpu
from bench.engine import Engine, wait_until
from bench.side import prefix
from firstbell.backup.containers import HELPER_SUFFIX
from firstbell.model import names
from firstbell.model.names import Role

BY_HAND = "-by-hand"
"""End of the name of the container in which restic works by hand."""
_KEEPER = "firstbell.hub.backups.vault"


class Watch:
    """Of one course."""

    def __init__(self, engine: Engine, at_work: PeopleAtWork) -> None:
        self.phases: list[Phase] = []
        self._engine = engine
        self._at_work = at_work
        self._hub = names.container(prefix(), Role.HUB)
        self._keeper = self._process_of_keeper()

    def calm(self, seconds: float) -> None:
        """A phase in which people work and nothing else is done."""
        end = time.monotonic() + seconds
        self.phase(CALM, lambda: wait_until(lambda: time.monotonic() >= end, "time to pass", seconds + 60))

    def phase(self, name: str, do: Callable[[], None]) -> None:
        """What is done meanwhile, and what it takes. Raises RuntimeError where somebody cannot work any more."""
        with ContainersCpu(self._engine, prefix(), self._hub) as containers:
            began, before = time.time(), self._used()
            do()
            ended, used = time.time(), self._used()
        helpers, count = containers.of(lambda one: one.endswith(HELPER_SUFFIX))
        by_hand, _ = containers.of(lambda one: one.endswith(BY_HAND))
        hub, keeper, everything = (after - earlier for earlier, after in zip(before, used, strict=True))
        found = Phase(name, began, ended, hub - keeper, keeper, by_hand or helpers, count, everything)
        self.phases.append(found)
        print(f"  {found.told(self._at_work.cells)}", flush=True)
        if self._at_work.failures:
            raise RuntimeError(f"people could not go on: {self._at_work.failures}")

    def _used(self) -> tuple[float, float, float]:
        """CPU seconds until now, of the hub's container, of the keeper in it, and of everything."""
        keeper = process.usage_of([self._keeper]).cpu
        return self._engine.usage(self._hub).cpu, keeper, machine.cpu()

    def _process_of_keeper(self) -> int:
        top = self._engine.call("GET", f"/containers/{self._hub}/top", ps_args="-eo pid,args")
        return next(int(row[0]) for row in top["Processes"] if _KEEPER in row[1])
