"""How many people a machine holds, and what runs out first: from measured figures, by arithmetic. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from firstbell.model.container import GIB, MIB
from firstbell.plan.memory_room import capacity_for
from firstbell.rehearsal.record import Cost, Record

BUILT_IN = Cost(
    servers=60,
    server_memory=130 * MIB,
    services_memory=250 * MIB,
    hub_cpu=0.09,
    proxy_cpu=0.03,
    edge_cpu=0.03,
    engine_cpu=0.3,
    server_cpu=1.5,
    processes=22,
    starts=60,
)
"""One person, cold, with a Python notebook, and a kernel that waits behind (60 of them, bench/results, 2026-11-21)."""
BUILT_IN_WARM = replace(
    BUILT_IN, hub_cpu=0.035, proxy_cpu=0.024, edge_cpu=0.026, engine_cpu=0.01, server_cpu=0.66, starts=0
)
"""The same, their server started beforehand."""

BRIDGE_PORTS = 1023
"""Containers on one bridge: Linux counts a bridge's ports in ten bits (net/bridge/br_private.h, BR_PORT_BITS)."""
ADDRESSES = 4093
"""Of a /20, without its own, the broadcast's and the gateway's."""
PROCESSES = 32_768
"""Process ids of a machine, the kernel's own default; systemd raises it to four millions."""
_BASE = 600 * MIB
"""What a machine's system and engine use by themselves."""
_SHARE = 0.8
"""Of the CPU, for starting and letting in; the rest is for those who are at work."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a course is to hold. `lead` and `within` are seconds, `memory` bytes (0: as measured)."""

    people: int
    memory: int = 0
    within: float = 30.0
    """All come within this time …"""
    patience: float = 30.0
    """… and wait no longer than this."""
    lead: float = 15 * 60.0
    """Servers may be started this long before (`[[bell]]`); 0 is a cold start."""


@dataclass(frozen=True, slots=True)
class Size:
    """A machine."""

    cpus: int
    memory: int
    """Bytes."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many people one thing suffices for."""

    what: str
    people: int
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One size of machine for the question: how many are needed, and what each runs out of, the first first."""

    size: Size
    limits: tuple[Limit, ...]
    machines: int

    @property
    def holds(self) -> int:
        """People of one machine."""
        return self.limits[0].people


SIZES = tuple(
    Size(cpus, gib * GIB)
    for cpus, gib in ((2, 8), (4, 16), (8, 32), (8, 64), (16, 64), (16, 128), (32, 128), (32, 256))
)
"""What clouds and computing centres commonly offer."""


_FIRST_MINUTE = 60.0
"""Seconds. What a person costs was measured until their notebook had run, not only until the page was there."""


def costs_of(record: Record | None) -> tuple[Cost, Cost]:
    """What a cold and a warm person cost: measured where the last rehearsal shows it, else built in."""
    if record is None or not record.cost.servers:
        return BUILT_IN, BUILT_IN_WARM
    measured = record.cost
    same = {"server_memory": measured.server_memory, "processes": measured.processes or BUILT_IN.processes}
    if measured.services_memory:
        same["services_memory"] = measured.services_memory
    is_cold = measured.starts * 2 > measured.servers
    cold = measured if is_cold else replace(BUILT_IN, **same)
    warm = replace(BUILT_IN_WARM, **same) if is_cold else measured
    return replace(cold, **same), replace(warm, **same)


def limits(question: Question, size: Size, cold: Cost, warm: Cost) -> tuple[Limit, ...]:
    """What each thing of a machine suffices for, the scarcest first."""
    coming = cold if not question.lead else warm
    window = question.within + question.patience
    found = [
        _memory(question, size, cold),
        Limit(
            "addresses", min(ADDRESSES, BRIDGE_PORTS), "one bridge takes 1023 containers; its /20 has 4093 addresses"
        ),
        Limit("processes", PROCESSES // max(1, cold.processes), f"{cold.processes} of {PROCESSES} for each server"),
        _time("CPU while all come", coming.person_cpu, window + _FIRST_MINUTE, size.cpus * _SHARE),
        _time("hub", coming.hub_cpu, window, 1.0),
        _time("proxy", coming.proxy_cpu, window, 1.0),
    ]
    if question.lead:
        found.append(_time("CPU for the starts", cold.person_cpu, question.lead, size.cpus * _SHARE))
    return tuple(sorted(found, key=lambda limit: limit.people))


def _memory(question: Question, size: Size, cost: Cost) -> Limit:
    each = question.memory or cost.server_memory
    held = capacity_for(size.memory, each, cost.services_memory + _BASE)
    return Limit("memory", held, f"{each // MIB} MB each of {size.memory / GIB:.0f} GB")


def _time(what: str, each: float, window: float, cores: float) -> Limit:
    """CPU seconds for each that must fit into so many seconds of so many cores."""
    held = math.floor(window * cores / each) if each else 10**6
    return Limit(what, held, f"{each * 1000:.0f} ms each, {window:.0f} s of {cores:g} cores")


def answer(question: Question, size: Size, cold: Cost, warm: Cost) -> Answer:
    """How many machines of that size; 0 where not even one person fits."""
    found = limits(question, size, cold, warm)
    return Answer(size, found, math.ceil(question.people / found[0].people) if found[0].people else 0)


def answers(question: Question, cold: Cost, warm: Cost, here: Size | None = None) -> tuple[Answer, ...]:
    """For each common size; this machine's own first, where it is known."""
    sizes: Sequence[Size] = ((here,) if here else ()) + SIZES
    return tuple(answer(question, size, cold, warm) for size in sizes)


def smallest(found: Sequence[Answer]) -> Answer | None:
    """The cheapest: fewest cores and gigabytes in all, of those on which anybody fits."""
    able = [a for a in found if a.machines and not a.size.name]
    return min(able, key=lambda a: (a.machines * (a.size.cpus * 4 * GIB + a.size.memory), a.machines), default=None)
