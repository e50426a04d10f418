"""How a course is doing: its parts, who is in, what they use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from firstbell.engine.base import Engine
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, NodeState, Observed, Phase, Usage
from firstbell.plan.bell_report import BellLine
from firstbell.plan.server import container_names
from firstbell.work.bells import bells
from firstbell.work.hub_figures import HubFigures, hub_figures

SERVICES = (Role.HUB, Role.PROXY, Role.EDGE, Role.GUARD)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One of the course's own containers."""

    role: str
    phase: str
    since: str
    """RFC 3339, UTC; empty while it does not run."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Somebody's server. Memory in bytes; 0 where it is not known."""

    user: str
    phase: str
    since: str
    memory: int
    memory_limit: int


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A machine of the cluster. Memory in bytes; 0 where it is not known."""

    name: str
    state: str
    """`ready`, or in a few words why no server can be started there."""
    servers: int
    """Of this course, running there."""
    memory: int
    memory_available: int


@dataclass(frozen=True, slots=True)
class Status:
    """A course at one moment."""

    course: str
    title: str
    url: str
    services: tuple[ServiceStatus, ...]
    servers: tuple[ServerStatus, ...]
    capacity: int
    homes: int | None
    """Volumes; None where homes are directories, which the engine does not count."""
    memory_used: int
    """Bytes used by servers and services together."""
    machine_memory: int
    """Bytes, of a cluster those of its usable nodes together."""
    machine_cpus: int
    nodes: tuple[NodeStatus, ...] = ()
    """Of a cluster; none on one machine."""
    figures: HubFigures | None = None
    """None while the hub does not run, or does not answer."""
    bells: tuple[BellLine, ...] = ()
    """Those of the course file: under way, then to come."""

    @property
    def is_up(self) -> bool:
        """Whether every part of the course itself runs."""
        return all(s.phase == Phase.RUNNING for s in self.services)

    @property
    def is_down(self) -> bool:
        """Whether no part of it exists."""
        return all(s.phase == Phase.MISSING for s in self.services)


def _services(course: Course) -> tuple[Role, ...]:
    return (*SERVICES, Role.TUNNEL) if course.engine.kind == "swarm" else SERVICES


async def status(engine: Engine, course: Course) -> Status:
    """Observe the course. Raises EngineUnavailable."""
    observed = await engine.observe(course.name)
    running = [c.name for c in observed.containers if c.phase is Phase.RUNNING]
    usage = {u.name: u for u in await engine.usage(running)}
    since = await _since(engine, running)
    awaited = {c.user for c in observed.standbys}
    homes = sum(v.role == Role.HOME and v.user not in awaited for v in observed.volumes)
    figures = await hub_figures(engine, course)
    return Status(
        course=course.name,
        title=course.shown_title,
        url=course.public_url,
        services=tuple(_service(course, observed, since, role) for role in _services(course)),
        servers=tuple(
            _server(course, observed, c, usage, since)
            for c in sorted(observed.of_role(Role.SERVER), key=lambda c: c.user)
        ),
        capacity=course.access.capacity,
        homes=None if course.homes.is_shared else homes,
        memory_used=sum(u.memory for u in usage.values()),
        machine_memory=observed.engine.together.memory,
        machine_cpus=observed.engine.together.cpus,
        nodes=_nodes(observed, figures.hindrances if figures else {}),
        figures=figures,
        bells=await _bells(engine, course) if figures else (),
    )


def _nodes(observed: Observed, hindrances: Mapping[str, str]) -> tuple[NodeStatus, ...]:
    servers = [state for state in observed.of_role(Role.SERVER) if state.phase is Phase.RUNNING]
    return tuple(
        NodeStatus(
            node.name,
            _how_it_is(node, hindrances.get(node.name, "")),
            sum(state.node == node.name for state in servers),
            node.memory,
            node.memory_available,
        )
        for node in observed.engine.nodes
    )


def _how_it_is(node: NodeState, hindrance: str) -> str:
    """`ready`, or the first thing that keeps servers away; what only the hub knows comes last."""
    if not node.prepared:
        return "not prepared"
    if not node.ready:
        return "away"
    if node.availability != "active":
        return node.availability
    return (hindrance or "ready") if node.linked else "no link"


async def _bells(engine: Engine, course: Course) -> tuple[BellLine, ...]:
    """Whether the course's bells can be met; nothing where it has none."""
    if not course.bells:
        return ()
    report, _ = await bells(engine, course)
    return (*report.ringing, *report.coming)


async def _since(engine: Engine, running: list[str]) -> dict[str, str]:
    """When each was started, which the snapshot does not say; a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str) -> str:
        async with gate:
            return (await engine.state(name)).started_at

    return dict(zip(running, await asyncio.gather(*map(ask, running)), strict=True))


def _service(course: Course, observed: Observed, since: dict[str, str], role: Role) -> ServiceStatus:
    state = observed.container(names.container(course.name, role))
    return ServiceStatus(role.value, state.phase.value, since.get(state.name, ""))


def _server(
    course: Course, observed: Observed, entry: ContainerState, usage: dict[str, Usage], since: dict[str, str]
) -> ServerStatus:
    """What the user's programs run in: the container that is reached, or the web application behind it."""
    last = observed.container(container_names(course, entry.user)[-1])
    state = entry if last.phase is Phase.MISSING else last
    memory = usage[state.name].memory if state.name in usage else 0
    return ServerStatus(entry.user, state.phase.value, since.get(state.name, ""), memory, course.server.memory)
