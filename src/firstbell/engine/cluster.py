"""What a cluster offers beyond an engine: its nodes, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from firstbell.engine.base import Engine, Report, ignore
from firstbell.model.membership import ManagerState, Membership
from firstbell.model.observed import ContainerState, ImageState, RunResult


class MembersOf(Protocol):
    """Who belongs to a Swarm; see `swarm_members.Members`."""

    async def membership(self) -> Membership: ...

    async def managers(self) -> tuple[ManagerState, ...]: ...

    async def worker_token(self) -> str: ...

    async def registry_images(self, registry: str) -> tuple[str, ...]: ...

    async def in_registry(self, ref: str) -> bool: ...

    async def begin(self, advertise: str = "") -> None: ...

    async def join(self, token: str, managers: tuple[str, ...], advertise: str) -> None: ...

    async def leave(self, *, force: bool = False) -> None: ...


class Machine(Engine, Protocol):
    """One machine's own daemon, which is or may become a node."""

    @property
    def members(self) -> MembersOf: ...


@runtime_checkable
class Cluster(Engine, Protocol):
    """Many machines behind one engine; see `SwarmEngine` for what each verb promises. `facts` tells its nodes."""

    @property
    def members(self) -> MembersOf: ...

    async def on(self, node: str) -> Machine: ...

    async def everywhere(self, name: str) -> tuple[ContainerState, ...]: ...

    async def exec_everywhere(self, name: str, argv: Iterable[str], deadline: float = 60) -> dict[str, RunResult]: ...

    async def pull_on(self, node: str, ref: str, report: Report = ignore) -> ImageState: ...

    async def ensure_networks_on(self, node: str) -> None: ...

    async def label_node(self, node: str, labels: dict[str, str]) -> None: ...

    async def sweep(self, course: str, older_than: float = 0) -> int: ...

    async def set_availability(self, node: str, availability: str) -> None: ...

    async def is_busy(self, node: str) -> bool: ...

    async def remove_node(self, node: str, force: bool = False) -> None: ...

    async def set_patience(self, seconds: int) -> None: ...


async def machine_of(engine: Engine, node: str) -> Engine:
    """The daemon of a cluster's node; where there is no cluster, the one there is. Raises EngineUnavailable."""
    return await engine.on(node) if isinstance(engine, Cluster) else engine
