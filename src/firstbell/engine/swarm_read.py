"""A manager's JSON as our values. Pure; whatever is malformed raises KeyError, TypeError or ValueError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.model.container import frozen
from firstbell.model.names import NODE_KEYS, NODE_NUMBER, NODE_READY
from firstbell.model.observed import ContainerState, NodeState, Phase

Json = Mapping[str, Any]

LABEL_SERVICE = "com.docker.swarm.service.name"
"""Of a task's container: Docker's own."""
LABEL_SERVICE_ID = "com.docker.swarm.service.id"
_ENDED = {"complete", "failed", "shutdown", "rejected"}
"""A task's states that its own node has reported as an end; `orphaned` and `remove` say nothing about a container."""
_STARTED = {"running", "starting", "ready", "preparing"}


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a service: its container, or what became of it."""

    id: str
    service: str
    """The service's id."""
    node_id: str
    state: str
    """Docker's word."""
    desired: str
    words: str
    """What Docker says of it, an error first; the same as its state where there is no more."""
    error: str
    container_id: str
    exit_code: int
    slot: int
    created_at: str
    image: str
    labels: Mapping[str, str]

    @property
    def has_ended(self) -> bool:
        """Whether its node said so."""
        return self.state in _ENDED

    @property
    def is_refused(self) -> bool:
        """Whether it ended before there was a container."""
        return self.state in {"rejected", "failed"} and not self.container_id

    @property
    def is_current(self) -> bool:
        """Whether the Swarm wants it to be there."""
        return self.desired in {"running", "ready", "accepted"}

    @property
    def counts(self) -> bool:
        """Whether it says how its service is: it is wanted, the only one of its slot, or has ended by itself."""
        return self.is_current or bool(self.slot) or self.state in {"failed", "complete", "rejected"}

    @property
    def name(self) -> str:
        """What we call its container."""
        return self.labels.get(LABEL_NAME, "")


def task(entry: Json) -> Task:
    """From an entry of `GET /tasks`."""
    status = entry["Status"]
    held = status.get("ContainerStatus") or {}
    container = entry["Spec"]["ContainerSpec"]
    error = status.get("Err") or ""
    return Task(
        id=entry["ID"],
        service=entry["ServiceID"],
        node_id=entry.get("NodeID") or "",
        state=status["State"],
        desired=entry["DesiredState"],
        words=error or status.get("Message") or status["State"],
        error=error,
        container_id=held.get("ContainerID") or "",
        exit_code=int(held.get("ExitCode") or 0),
        slot=int(entry.get("Slot") or 0),
        created_at=entry["CreatedAt"],
        image=container["Image"],
        labels=frozen(container.get("Labels")),
    )


def current(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """The newest task of each slot, or of each node for a service that runs everywhere; a wanted one before others."""
    best: dict[tuple[int, str], Task] = {}
    for one in tasks:
        place = (one.slot, "" if one.slot else one.node_id)
        if place not in best or _rank(one) > _rank(best[place]):
            best[place] = one
    return tuple(best[place] for place in sorted(best))


def _rank(one: Task) -> tuple[bool, str]:
    return one.is_current, one.created_at


def without_container(one: Task, node: str) -> ContainerState:
    """A task of which there is no container to be seen: not there yet, refused, or ended long ago."""
    ended = one.has_ended and not one.is_refused
    return ContainerState(
        one.name,
        Phase.EXITED if ended else Phase.PENDING,
        id=one.container_id,
        image=one.image,
        labels=one.labels,
        exit_code=one.exit_code if ended else None,
        error=one.words,
        node=node,
    )


def unanswered(one: Task, node: NodeState | None, why: str) -> ContainerState:
    """A task whose node does not answer: nothing is known, unless the node said before that it had ended."""
    name = node.name if node else one.node_id
    if one.has_ended:
        return without_container(one, name)
    return ContainerState(
        one.name,
        Phase.UNKNOWN,
        id=one.container_id,
        image=one.image,
        labels=one.labels,
        error=f"the node {name} does not answer: {why}",
        node=name,
    )


def nodes(entries: Iterable[Json]) -> tuple[NodeState, ...]:
    """From `GET /nodes`, by name; where two have one name, their ids tell them apart."""
    found = [_node(entry) for entry in entries]
    often = {one.name for one in found if sum(other.name == one.name for other in found) > 1}
    told = (replace(one, name=f"{one.name}-{one.id[:6]}") if one.name in often else one for one in found)
    return tuple(sorted(told, key=lambda one: one.name))


def _node(entry: Json) -> NodeState:
    description, status, spec = entry["Description"], entry["Status"], entry["Spec"]
    labels = spec.get("Labels") or {}
    manager = entry.get("ManagerStatus") or {}
    resources = description.get("Resources") or {}
    number = str(labels.get(NODE_NUMBER) or "0")
    address = status.get("Addr") or ""
    if address in {"", "0.0.0.0", "127.0.0.1"}:  # noqa: S104  (what a manager may say of itself)
        address = str(manager.get("Addr") or address).rpartition(":")[0] or address
    return NodeState(
        name=description.get("Hostname") or entry["ID"],
        id=entry["ID"],
        address=address,
        number=int(number) if number.isdigit() and labels.get(NODE_READY) == "true" else 0,
        manager=bool(manager),
        ready=status["State"] == "ready",
        availability=spec["Availability"],
        version=(description.get("Engine") or {}).get("EngineVersion") or "",
        cpus=int(resources.get("NanoCPUs") or 0) // 10**9,
        memory=int(resources.get("MemoryBytes") or 0),
        keeps_keys=labels.get(NODE_KEYS) == "true",
    )
