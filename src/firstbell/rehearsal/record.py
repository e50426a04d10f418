"""A rehearsal as it is kept: everything its report says, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firstbell.rehearsal.figures import Failures, StageFigures
from firstbell.rehearsal.load import Load

PARTS = ("hub", "proxy", "edge", "engine")
"""Whose CPU is told apart; what is left of the machine's is the servers', the clients' and everything else's."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The machine at one moment."""

    at: float
    """Seconds since the first arrival."""
    inside: int
    """People whose Lab page is there."""
    cpu: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds of each part since it began; `machine` is everything."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each part; `available` is what the machine has left."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran."""

    cpus: int = 0
    memory: int = 0
    """Bytes."""
    engine: str = ""
    """Kind and version."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What people cost, for planning; 0 is not measured."""

    servers: int = 0
    """How many were measured."""
    server_memory: int = 0
    """Bytes of one server, on average, with its notebook open."""
    services_memory: int = 0
    """Bytes of hub, proxy and edge."""
    hub_cpu: float = 0.0
    """CPU seconds of the hub for one person's coming in, a server's start included if there was one."""
    proxy_cpu: float = 0.0
    edge_cpu: float = 0.0
    """With the page's files."""
    engine_cpu: float = 0.0
    """Of the engine's daemons, where they run on this machine."""
    server_cpu: float = 0.0
    """Of the person's own server while they came and worked; its start included, if it was started for them."""
    processes: int = 0
    """Of one server: processes and threads, which share the machine's number of process ids."""
    starts: int = 0
    """How many servers were started while people waited."""
    starts_per_second: float = 0.0

    @property
    def person_cpu(self) -> float:
        """CPU seconds of all that one person's coming costs."""
        return round(self.hub_cpu + self.proxy_cpu + self.edge_cpu + self.engine_cpu + self.server_cpu, 4)


@dataclass(frozen=True, slots=True)
class Record:
    """One rehearsal."""

    course: str
    url: str
    version: str
    began: float
    """Unix seconds."""
    people: int
    within: float
    patience: float
    warm: bool
    login: str
    capacity: int
    notebook: str
    machine: Machine
    stages: tuple[StageFigures, ...]
    failed: tuple[Failures, ...]
    cost: Cost
    loads: tuple[Load, ...]
    client_was_measured: bool
    samples: tuple[Sample, ...] = ()
    memory_for: int = 0
    """How many people the machine's memory holds; 0 is not known."""
    received: int = 0
    """Bytes of one person's first page, on average."""
    remarks: tuple[str, ...] = ()
    """What was not rehearsed, or stood in the way."""

    def stage(self, name: str) -> StageFigures | None:
        """The figures of one stage."""
        return next((figures for figures in self.stages if figures.stage == name), None)

    @property
    def failed_people(self) -> int:
        """How many did not come through."""
        return sum(group.count for group in self.failed)


def record_from(kept: Mapping[str, Any]) -> Record:
    """A record as `dataclasses.asdict` wrote it. Raises TypeError or KeyError for anything else."""
    made = dict(kept)
    made["machine"] = Machine(**kept["machine"])
    made["cost"] = Cost(**kept["cost"])
    for name, kind in (("stages", StageFigures), ("failed", Failures), ("loads", Load), ("samples", Sample)):
        made[name] = tuple(kind(**entry) for entry in kept[name])
    made["remarks"] = tuple(kept["remarks"])
    return Record(**made)
