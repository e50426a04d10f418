"""What a rehearsal has shown, put together: times, failures, what people cost, how many the memory holds."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import firstbell
from firstbell.engine.base import Engine
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.plan.memory_room import MachineMemory, capacity_for
from firstbell.rehearsal.crowd import CrowdResult
from firstbell.rehearsal.figures import failures, stage_figures
from firstbell.rehearsal.record import Cost, Machine, Record, Sample
from firstbell.work.rehearse_sampler import machine_memory


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be rehearsed."""

    people: int = 220
    within: float = 30.0
    cells: int = 0
    """Only so many of the notebook's cells; 0 is all."""
    notebook: str = ""
    """A path in the project; "" is a notebook of three short cells."""
    pause: float = 1.0
    patience: float = 30.0
    """Seconds that nineteen in twenty may wait for Jupyter at most, for a yes."""
    processes: int = 0
    keep: bool = False
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of the machine meanwhile."""

    samples: tuple[Sample, ...]
    cpu_before: Mapping[str, float]
    """CPU seconds that servers had used before the crowd came, by container."""


async def servers_cpu(engine: Engine, course: Course) -> dict[str, float]:
    """CPU seconds of all servers that run, by container."""
    observed = await engine.observe(course.name)
    running = [c.name for c in observed.of_role(Role.SERVER) if c.phase is Phase.RUNNING]
    return {usage.name: usage.cpu_seconds for usage in await engine.usage(running)}


async def _cost(engine: Engine, course: Course, crowd: CrowdResult, watched: Watched) -> Cost:
    mine = {visit.user for visit in crowd.visits if visit.user}
    observed = await engine.observe(course.name)
    running = [c.name for c in observed.of_role(Role.SERVER) if c.phase is Phase.RUNNING and c.user in mine]
    usage = await engine.usage(running)
    came = sum("lab" in visit.marks for visit in crowd.visits) or 1
    last = watched.samples[-1] if watched.samples else Sample(0.0, 0)
    started = [visit.arrived - crowd.began + visit.marks["ready"] for visit in crowd.visits if "ready" in visit.marks]
    servers = sum(u.cpu_seconds - watched.cpu_before.get(u.name, 0.0) for u in usage)

    def each(part: str) -> float:
        return round(last.cpu.get(part, 0.0) / came, 4)

    return Cost(
        servers=len(usage),
        server_memory=sum(u.memory for u in usage) // len(usage) if usage else 0,
        services_memory=sum(last.memory.get(part, 0) for part in ("hub", "proxy", "edge")),
        hub_cpu=each("hub"),
        proxy_cpu=each("proxy"),
        edge_cpu=each("edge"),
        engine_cpu=each("engine"),
        server_cpu=round(servers / came, 4),
        processes=max((u.pids for u in usage), default=0),
        starts=len(started),
        starts_per_second=round(len(started) / max(started), 3) if started and max(started) > 0 else 0.0,
    )


async def make_record(engine: Engine, course: Course, wish: Wish, crowd: CrowdResult, watched: Watched) -> Record:
    """Ask while the servers of the rehearsal still run."""
    cost = await _cost(engine, course, crowd, watched)
    facts = (await engine.facts()).together
    memory = await memory_of(engine, course)
    others = max(0, facts.memory - memory.available - memory.servers_use) if memory.is_known else cost.services_memory
    held = capacity_for(facts.memory, cost.server_memory, others) if cost.server_memory else 0
    first = [visit.received for visit in crowd.visits if visit.received]
    return Record(
        course=course.name,
        url=course.public_url,
        version=firstbell.__version__,
        began=round(crowd.began, 3),
        people=wish.people,
        within=wish.within,
        patience=wish.patience,
        warm=wish.warm,
        login=course.access.login,
        capacity=course.access.capacity,
        notebook=wish.notebook,
        machine=Machine(facts.cpus, facts.memory, f"{facts.kind} {facts.version}", platform.node()),
        stages=stage_figures(crowd.visits),
        failed=failures(crowd.visits),
        cost=cost,
        loads=crowd.loads,
        client_was_measured=crowd.client_was_measured,
        samples=watched.samples,
        memory_for=held,
        received=sum(first) // len(first) if first else 0,
        remarks=_remarks(course),
    )


def _remarks(course: Course) -> tuple[str, ...]:
    login = course.access.login
    found = []
    if login not in {"seminar", "roster"}:
        found.append(f"Rehearsed without {login}'s own login: each test person came in by a code of one use.")
    if urlsplit(course.public_url).scheme == "https":
        found.append("The clients speak HTTP/1.1 over six connections; a browser uses one connection of HTTP/2.")
    return tuple(found)


async def memory_of(engine: Engine, course: Course) -> MachineMemory:
    """The memory of the machine, or of a cluster's nodes together; unknown for an engine elsewhere."""
    observed = await engine.observe(course.name)
    usable = [node for node in observed.engine.nodes if node.usable]
    if usable:
        is_told = all(node.memory_available for node in usable)
        total = sum(node.memory for node in usable) if is_told else 0
        available = sum(node.memory_available for node in usable)
    elif is_local(course):
        total, available = machine_memory()
    else:
        return MachineMemory(0, 0)
    servers = [c.name for c in observed.of_role(Role.SERVER) if c.phase is Phase.RUNNING]
    usage = await engine.usage(servers)
    return MachineMemory(total, available, len(usage), sum(u.memory for u in usage))


def is_local(course: Course) -> bool:
    """Whether the engine runs on this machine."""
    host = course.engine.host or os.environ.get("DOCKER_HOST", "")
    return not host or host.startswith("unix:")
