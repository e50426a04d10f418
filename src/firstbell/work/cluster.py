"""What a Swarm asks of `up` beside what one machine does: that there is one, its keys, and images on every node."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from firstbell.engine.base import Engine, Report
from firstbell.engine.cluster import Cluster
from firstbell.engine.swarm_keys import read_keys, write_keys
from firstbell.engine.waiting import together, until
from firstbell.errors import BuildFailed, EngineUnavailable, FirstbellError, StartFailed
from firstbell.link import authority
from firstbell.link.keys import ClusterKeys
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.membership import Membership
from firstbell.model.observed import ImageState, NodeState, Phase
from firstbell.model.steps import MakeKeys, PrepareNode, PushImage, SpreadImage
from firstbell.plan.cluster import ClusterInputs, registry_name
from firstbell.plan.registry_image import registry_build
from firstbell.plan.services import Inputs
from firstbell.work.machine import Ask
from firstbell.work.project import read_ca_bundle

PATIENCE = 360
"""Seconds for which a node may be cut off and keep its people's servers. Swarm's own is 15: it ends what runs on a node
that it has not heard for three heartbeats as soon as that is back. The hub looks at nodes by itself, every 2 s."""
_LINK_DEADLINE = 20.0
"""Seconds for links to answer once they run."""
_RENEWED_DEADLINE = 60.0
"""Seconds for all links to answer once all were begun anew."""

__all__ = [
    "as_cluster",
    "gather_cluster",
    "make_keys",
    "prepare_node",
    "push_image",
    "refuse_no_manager",
    "remove_volume",
    "spread",
    "start_everywhere",
]


def as_cluster(engine: Engine) -> Cluster:
    """The engine of a course whose kind is swarm."""
    if not isinstance(engine, Cluster):
        raise TypeError(f"{type(engine).__name__} is no cluster")
    return engine


async def refuse_no_manager(engine: Cluster) -> None:
    """Raises EngineUnavailable, with what to type, unless the engine's machine is a manager of a working Swarm."""
    membership = await engine.members.membership()
    if not (membership.is_member and membership.is_manager):
        raise no_manager(membership)


async def ensure_swarm(engine: Cluster, ask: Ask, report: Report) -> None:
    """A Swarm, begun (asked for first) where the machine is in none, and patient with nodes that are cut off.

    Raises Declined, or as `refuse_no_manager`.
    """
    membership = await engine.members.membership()
    if membership.state == "inactive":
        ask(
            f"{membership.name} is in no Swarm. Begin one, with this machine as its manager?",
            "docker swarm init --advertise-addr ADDRESS",
        )
        report(Progress("beginning a Swarm"))
        await engine.members.begin()
    await refuse_no_manager(engine)
    await engine.set_patience(PATIENCE)


def no_manager(membership: Membership) -> EngineUnavailable:
    """Why that machine cannot run a course of the Swarm, and what helps."""
    where = f"{membership.name}, [engine] kind"
    match membership.state:
        case "active":
            managers = ", ".join(address.rpartition(":")[0] for address in membership.managers) or "another machine"
            return EngineUnavailable(
                "this machine is a worker of its Swarm, and a course is brought up on a manager",
                where=where,
                next_step=f'Run this command on {managers}, or write host = "ssh://{managers.split(",")[0]}" '
                "in [engine]; or make this machine a manager: docker node promote "
                f"{membership.name} there.",
            )
        case "locked":
            return EngineUnavailable(
                "the Swarm on this machine is locked, as autolock does after each restart of the daemon",
                where=where,
                next_step="docker swarm unlock, with the key that `docker swarm unlock-key` shows on another manager.",
            )
        case "inactive":
            return EngineUnavailable(
                "this machine is in no Swarm",
                where=where,
                next_step="docker swarm init --advertise-addr ADDRESS, with the address at which the other machines "
                "reach this one; or join one that there is.",
            )
    return EngineUnavailable(
        f"the Swarm on this machine does not work ({membership.state})",
        where=where,
        evidence=(membership.error,) if membership.error else (),
        next_step="`docker info` says more; for lost managers see docs.docker.com/engine/swarm/admin_guide.",
    )


async def gather_cluster(engine: Cluster, course: Course, images: Inputs) -> ClusterInputs:
    """Everything `plan/swarm.py` wants to know of a cluster that is not observed of the course."""
    registry = await asyncio.to_thread(registry_build, course, read_ca_bundle(course.network))
    tags = dict.fromkeys((*images.images, registry.tag))
    states = dict(zip(tags, await together(*(engine.image(tag) for tag in tags)), strict=True))
    found: dict[str, ImageState] = {tag: state for tag, state in states.items() if state}
    pinned = await pinned_names(engine, found)
    facts = await engine.facts()
    own = facts.own_node
    others = [node for node in facts.nodes if node.usable and node != own]
    keys = await read_keys(await _own_daemon(engine, own)) if own else None
    return ClusterInputs(
        registry_image=registry,
        keys=keys,
        keys_stale=bool(keys and authority.stale(keys, datetime.now(UTC))),
        ids=frozen({tag: state.id for tag, state in found.items()}),
        pinned=frozen(pinned),
        lacking={tag: await _lacking(engine, others, pinned.get(tag, "")) for tag in images.images},
    )


async def pinned_names(engine: Cluster, images: Mapping[str, ImageState]) -> dict[str, str]:
    """Tag → the digest by which the cluster's registry has the image; those that it has lost are to be pushed again."""
    known = {tag: digest for tag, image in images.items() if (digest := pinned_name(tag, image))}
    there = await together(*map(engine.members.in_registry, known.values()))
    return {tag: digest for (tag, digest), is_there in zip(known.items(), there, strict=True) if is_there}


def pinned_name(tag: str, image: ImageState) -> str:
    """By which digest the cluster's registry knows an image; empty if it was not given it."""
    path = registry_name(tag).rpartition(":")[0]
    return next((digest for digest in image.digests if digest.startswith(f"{path}@")), "")


async def _own_daemon(engine: Cluster, own: NodeState | None) -> Engine:
    if own is None:
        raise StartFailed("this machine is not among the nodes of its Swarm", next_step="docker node ls shows them.")
    return await engine.on(own.name)


async def _lacking(engine: Cluster, nodes: Iterable[NodeState], pinned: str) -> tuple[str, ...]:
    """The nodes that do not have the image of exactly that digest; one that is away by now counts for nothing."""

    async def lacks(node: NodeState) -> bool:
        if not pinned:
            return True
        try:
            return await (await engine.on(node.name)).image(pinned) is None
        except EngineUnavailable:
            return False

    nodes = tuple(nodes)
    answers = await together(*map(lacks, nodes))
    return tuple(node.name for node, lacking in zip(nodes, answers, strict=True) if lacking)


async def prepare_node(engine: Cluster, step: PrepareNode) -> None:
    """Carry it out."""
    await engine.label_node(step.node, {names.NODE_READY: "true", names.NODE_NUMBER: str(step.number)})


async def make_keys(engine: Cluster, step: MakeKeys) -> ClusterKeys:
    """Make what is missing of the cluster's keys and keep it; what is there and good stays."""
    own = (await engine.facts()).own_node
    daemon = await _own_daemon(engine, own)
    there = await read_keys(daemon)
    now = datetime.now(UTC)
    keys = authority.renewed(there, now) if there else authority.make(now)
    await write_keys(daemon, keys, step.image)
    if own:
        await engine.label_node(own.name, {names.NODE_KEYS: "true"})
    return keys


async def remove_volume(engine: Engine, name: str) -> None:
    """Remove it; who kept the cluster's keys and does no more is no longer said to."""
    await engine.remove_volume(name)
    if name == names.cluster_keys() and isinstance(engine, Cluster):
        for node in (await engine.facts()).nodes:
            if node.keeps_keys:
                await engine.label_node(node.name, {names.NODE_KEYS: ""})


async def start_everywhere(engine: Cluster, spec: ContainerSpec, report: Report) -> None:
    """Start or change what runs on every node. Raises StartFailed where it is missing on a node that servers can be on.

    A node that cannot be reached is told of, and is no reason to go without on the others.
    """
    try:
        await engine.start(spec)
    except StartFailed as error:
        there = {state.node for state in await engine.everywhere(spec.name) if state.phase is Phase.RUNNING}
        facts = await engine.facts()
        needed = {node.name for node in facts.nodes if node.usable or node == facts.own_node}
        if needed - there:
            raise
        report(Progress(f"{error.what}. The course goes on without; `firstbell nodes prepare` repairs a node."))
    if spec.name == names.link():
        await _answering(engine, spec.name)


async def until_linked(engine: Cluster) -> tuple[str, ...]:
    """Wait until the links of nodes that the Swarm hears answer; the prepared nodes whose link does not in the end."""

    async def answer() -> bool:
        return all(node.linked for node in (await engine.facts()).nodes if node.prepared and node.ready)

    with contextlib.suppress(TimeoutError):
        await until(answer, deadline=_RENEWED_DEADLINE, first=0.2)
    return tuple(node.name for node in (await engine.facts()).nodes if node.prepared and not node.linked)


async def _answering(engine: Cluster, name: str) -> None:
    """Wait until the nodes on which the link runs can be asked through it."""

    async def answer() -> bool:
        running = {state.node for state in await engine.everywhere(name) if state.phase is Phase.RUNNING}
        return all(node.linked for node in (await engine.facts()).nodes if node.name in running)

    with contextlib.suppress(TimeoutError):  # what then does not answer is left out, as any node that is away
        await until(answer, deadline=_LINK_DEADLINE)


async def push_image(engine: Cluster, step: PushImage, report: Report) -> None:
    """Give an image to the cluster's registry. Raises RegistryFailed."""
    name = registry_name(step.ref)
    await engine.tag(step.ref, name)
    await engine.push(name, report)


async def spread(engine: Cluster, step: SpreadImage, report: Report) -> None:
    """Have the nodes of the step pull the image, side by side. Raises BuildFailed that names those that could not."""
    image = await engine.image(step.ref)
    pinned = pinned_name(step.ref, image) if image else ""
    if not pinned:
        raise BuildFailed(
            "the image is not in the cluster's registry", where=step.ref, next_step="Run the command again."
        )

    async def pull(node: str) -> FirstbellError | None:
        try:
            await engine.pull_on(node, pinned, lambda line: report(replace(line, text=f"{node}: {line.text}")))
        except FirstbellError as error:
            return error
        report(Progress(f"{node}: has it"))
        return None

    failed = {n: e for n, e in zip(step.nodes, await together(*map(pull, step.nodes)), strict=True) if e}
    if failed:
        first = next(iter(failed.values()))
        raise BuildFailed(
            f"the image did not reach {', '.join(failed)}: {first.what}",
            where=step.ref,
            evidence=first.evidence,
            next_step=f"See `firstbell doctor` for {', '.join(failed)}, or take a node out for now: "
            f"docker node update --availability drain {next(iter(failed))}. Then run the command again.",
        ) from first
