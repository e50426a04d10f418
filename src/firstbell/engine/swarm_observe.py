"""Everything a Swarm has of a course, in one snapshot; a node that is away is missing from it, and said to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from firstbell.engine import swarm_read
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_api import Json
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.engine.swarm_networks import named_networks, networks_of, spread_networks
from firstbell.engine.swarm_read import LABEL_SERVICE, Task
from firstbell.engine.swarm_state import LABEL_BESIDE, States, as_recorded
from firstbell.engine.waiting import together
from firstbell.model.container import frozen
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC
from firstbell.model.observed import (
    ContainerState,
    EngineFacts,
    ImageState,
    NetworkState,
    NodeState,
    Observed,
    Phase,
    VolumeState,
)

_DEADLINE = 10.0
"""Seconds for all that a node has."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one node's own daemon has of the course."""

    here: Observed
    networks: tuple[NetworkState, ...]
    named: frozenset[str]
    """Names of networks that services can join, as this node knows them."""


async def facts(cluster: Cluster) -> EngineFacts:
    """See Engine.facts: the manager's own daemon, and all nodes."""
    own: EngineFacts
    own, nodes = await together(cluster.manager.facts(), cluster.nodes())
    return replace(own, kind="swarm", nodes=nodes)


async def observe(cluster: Cluster, states: States, course: str) -> Observed:
    """See Engine.observe."""
    label = f"{LABEL_COURSE}={course}" if course else LABEL_COURSE
    await cluster.listed()

    async def look(_: NodeState, engine: DockerEngine) -> _Seen:
        return await _look(engine, course)

    services, entries, seen, nodes = await together(
        cluster.api.listed("services", label=[label, LABEL_SPEC]),
        cluster.api.listed("tasks", label=[label]),
        cluster.ask_all(look, _DEADLINE),
        cluster.nodes(),
    )
    manager = next(found for node, found in seen.items() if cluster.is_own(node))
    own = manager.here
    with understood("observe"):
        return Observed(
            course=course,
            engine=replace(own.engine, kind="swarm", nodes=nodes),
            containers=await _containers(services, entries, seen, nodes, states),
            volumes=tuple(_volumes(seen)),
            networks=spread_networks({node: found.networks for node, found in seen.items()}, manager.named),
            images=_images(seen),
            used_subnets=tuple(dict.fromkeys(subnet for found in seen.values() for subnet in found.here.used_subnets)),
        )


async def _look(engine: DockerEngine, course: str) -> _Seen:
    here, entries = await together(engine.observe(course), engine.api.json("GET", "networks"))
    with understood("networks"):
        return _Seen(here, networks_of(entries, course), named_networks(entries))


async def _containers(
    services: Iterable[Json],
    entries: Iterable[Json],
    seen: dict[NodeState, _Seen],
    nodes: tuple[NodeState, ...],
    states: States,
) -> tuple[ContainerState, ...]:
    here = {container.id: (container, node) for node, found in seen.items() for container in found.here.containers}
    by_id = {node.id: node for node in nodes}
    tasks: dict[str, list[Task]] = {}
    for entry in entries:
        task = swarm_read.task(entry)
        tasks.setdefault(task.service, []).append(task)
    found: list[ContainerState] = []
    records: dict[str, Json] = {}
    for service in services:
        current = [one for one in swarm_read.current(tasks.get(service["ID"], ())) if one.counts]
        name = service["Spec"]["Labels"].get(LABEL_NAME, service["Spec"]["Name"])
        if LABEL_BESIDE in service["Spec"]["Labels"]:
            records[name] = service
            continue
        if not current:
            found.append(await states.of_record(name, service))
        for task in current:
            state = await _of_task(task, here, by_id, {node.id for node in seen}, states)
            found.append(replace(state, name=name, labels=state.labels or frozen(service["Spec"]["Labels"])))
    for container, node in here.values():
        if LABEL_SERVICE in container.labels:
            continue
        state = await states.named(container, node)
        if (record := records.pop(container.name, None)) is not None:
            state = as_recorded(state, record["Spec"]["Labels"])
        found.append(state)
    for name, record in records.items():
        found.append(await states.of_record(name, record))
    return tuple(sorted((s for s in found if s.phase is not Phase.MISSING), key=lambda s: (s.name, s.node)))


async def _of_task(
    task: Task,
    here: dict[str, tuple[ContainerState, NodeState]],
    nodes: dict[str, NodeState],
    answered: set[str],
    states: States,
) -> ContainerState:
    if task.container_id in here:
        return await states.named(*here[task.container_id])
    if task.container_id and task.node_id in answered:
        return await states.of_task(task)  # made, or ended, between two questions
    node = nodes.get(task.node_id)
    if node is None or not task.container_id:
        return await states.of_task(task)
    return swarm_read.unanswered(task, node, "its link is silent")


def _volumes(seen: dict[NodeState, _Seen]) -> Iterable[VolumeState]:
    for node, found in seen.items():
        for volume in found.here.volumes:
            yield replace(volume, node=node.name)


def _images(seen: dict[NodeState, _Seen]) -> tuple[ImageState, ...]:
    """Those of the manager's own node first; each with the nodes that have the very same."""
    states: dict[str, ImageState] = {}
    for node, found in seen.items():
        for image in found.here.images:
            known = states.setdefault(image.ref, image)
            if known.id == image.id:
                states[image.ref] = replace(known, nodes=tuple(sorted({*known.nodes, node.name})))
    return tuple(states.values())
