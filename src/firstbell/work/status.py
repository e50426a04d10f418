"""How a course is right now: its parts, who is in, and what they use."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.engine.base import Engine
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Observed, Phase

PARTS = (Role.GUARD, Role.PROXY, Role.HUB, Role.EDGE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the course itself. `since` is RFC 3339, UTC."""

    role: str
    phase: Phase
    since: str = ""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Somebody's server. Memory in bytes, `since` RFC 3339, UTC."""

    user: str
    phase: Phase
    since: str
    memory: int
    memory_limit: int
    cpu_seconds: float
    pids: int


@dataclass(frozen=True, slots=True)
class Status:
    """A course at a moment."""

    course: str
    title: str
    url: str
    parts: tuple[Part, ...]
    servers: tuple[ServerStatus, ...]
    capacity: int
    homes: int
    machine_memory: int
    """Bytes of the engine's machine."""

    @property
    def is_up(self) -> bool:
        """Whether every part runs."""
        return all(part.phase is Phase.RUNNING for part in self.parts)


async def status(engine: Engine, course: Course) -> Status:
    """Observe the course and measure its servers. Raises EngineUnavailable."""
    observed = await engine.observe(course.name)
    servers = observed.of_role(Role.SERVER.value)
    used = {usage.name: usage for usage in await engine.usage(s.name for s in servers)}

    def server(state: ContainerState) -> ServerStatus:
        usage = used.get(state.name)
        return ServerStatus(
            user=state.user,
            phase=state.phase,
            since=state.started_at,
            memory=usage.memory if usage else 0,
            memory_limit=course.server.memory,
            cpu_seconds=usage.cpu_seconds if usage else 0.0,
            pids=usage.pids if usage else 0,
        )

    return Status(
        course=course.name,
        title=course.shown_title,
        url=course.public_url,
        parts=tuple(_part(observed, role) for role in PARTS),
        servers=tuple(sorted((server(s) for s in servers), key=lambda s: s.user)),
        capacity=course.access.capacity,
        homes=sum(1 for v in observed.volumes if v.role == Role.HOME.value),
        machine_memory=observed.engine.memory,
    )


def _part(observed: Observed, role: Role) -> Part:
    state = next(iter(observed.of_role(role.value)), None)
    return Part(role.value, state.phase, state.started_at) if state else Part(role.value, Phase.MISSING)
