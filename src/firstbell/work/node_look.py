"""Looks at every node of a cluster: what the doctor judges and `nodes list` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from firstbell.engine.cluster import Cluster, Machine
from firstbell.engine.swarm_keys import read_keys
from firstbell.engine.waiting import together
from firstbell.errors import FirstbellError
from firstbell.link import authority
from firstbell.model import names
from firstbell.model.cluster import LINK_PORT
from firstbell.model.membership import Membership
from firstbell.model.names import LABEL_COURSE, Role
from firstbell.model.observed import ContainerState, NodeState, Observed, Phase, VolumeState
from firstbell.plan.cluster import REGISTRY
from firstbell.plan.node_facts import GOSSIP_PORT, SWARM_PORT, ClusterFacts, CourseAddresses, NodeLook
from firstbell.work.node_probe import Target, probe


async def look_at_all(cluster: Cluster, *, ports: bool) -> ClusterFacts:
    """Every node; `ports` tries those of each from each. Only an engine of the manager that is away raises."""
    managers, own, observed, wanted = await together(
        cluster.members.managers(), cluster.members.membership(), cluster.observe(""), wanted_images(cluster)
    )
    nodes = observed.engine.nodes

    async def one(node: NodeState) -> NodeLook:
        targets = targets_of(node, nodes) if ports else ()
        return with_counts(await look_at(cluster, node, own, wanted, targets), observed)

    keys_days, authority_days = await _keys(cluster, own) if ports else (None, None)
    lax = await _lax_nodes(cluster) if ports else frozenset()
    return ClusterFacts(
        keys_days=keys_days,
        authority_days=authority_days,
        nodes=tuple(
            replace(look, may_gain_rights=look.name in lax)
            for look in _with_networks(await together(*map(one, nodes)), observed)
        ),
        managers=managers,
        is_autolocked=own.is_autolocked,
        courses=tuple(
            CourseAddresses(
                n.labels.get(LABEL_COURSE, ""), n.subnet, _servers(observed, n.labels.get(LABEL_COURSE, ""))
            )
            for n in observed.networks
            if n.subnet and n.labels.get("firstbell.role") == Role.SERVERS
        ),
    )


async def look_at(
    cluster: Cluster, node: NodeState, manager: Membership, wanted: Sequence[str], targets: Sequence[Target]
) -> NodeLook:
    """One node; one that does not answer is told as such."""
    look = NodeLook(node)
    if not (node.linked or node.id == manager.node_id):
        return look
    try:
        machine = await cluster.on(node.name)
        return await _asked(machine, look, manager, wanted, targets)
    except FirstbellError as error:
        return replace(look, node=replace(node, linked=False), why_away=error.what)


async def _asked(
    machine: Machine, look: NodeLook, manager: Membership, wanted: Sequence[str], targets: Sequence[Target]
) -> NodeLook:
    member, images, probed = await together(
        machine.members.membership(),
        together(*map(machine.image, wanted)),
        probe(machine, look.name, targets),
    )
    node = look.node
    if probed is not None:
        node = replace(node, memory_available=probed.memory_available)
    return replace(
        look,
        node=node,
        architecture=member.architecture,
        disk=probed.disk if probed else None,
        skew=member.skew - manager.skew,
        ports=probed.ports if probed else (),
        missing_images=tuple(ref for ref, found in zip(wanted, images, strict=True) if found is None),
    )


def with_counts(look: NodeLook, observed: Observed) -> NodeLook:
    """The look with how many servers and homes are there."""
    return replace(
        look,
        servers=len({(c.labels.get(LABEL_COURSE), c.user) for c in servers_on(observed, look.name)}),
        homes=len(homes_on(observed, look.name)),
    )


def servers_on(observed: Observed, node: str) -> tuple[ContainerState, ...]:
    """The servers of a node, of all courses, also those of which nothing is known now."""
    roles, over = {Role.SERVER, Role.APP}, {Phase.EXITED, Phase.MISSING}
    return tuple(c for c in observed.containers if c.node == node and c.role in roles and c.phase not in over)


def homes_on(observed: Observed, node: str) -> tuple[VolumeState, ...]:
    """The homes that are volumes of the node, of all courses."""
    return tuple(v for v in observed.volumes if v.node == node and v.role == Role.HOME)


def targets_of(node: NodeState, nodes: Sequence[NodeState]) -> tuple[Target, ...]:
    """What a node must reach of the others: managers' Swarm port, the links of those that have one, Swarm's gossip."""
    others = [other for other in nodes if other.id != node.id and other.address]
    return tuple(
        Target(other.name, other.address, port)
        for other in others
        for port, is_there in (
            (SWARM_PORT, other.manager),
            (LINK_PORT, other.prepared),
            (GOSSIP_PORT, other.ready),
        )
        if is_there
    )


async def wanted_images(cluster: Cluster) -> tuple[str, ...]:
    """What every node should have: of each name in the cluster's registry the manager's newest, by digest."""
    return await cluster.members.registry_images(REGISTRY)


async def _keys(cluster: Cluster, own: Membership) -> tuple[int | None, int | None]:
    """For how many days the cluster's keys, and their authority, are good; None where there are none."""
    keys, now = await read_keys(await cluster.on(own.name)), datetime.now(UTC)
    return (authority.days_left(keys, now), authority.authority_days_left(keys, now)) if keys else (None, None)


async def _lax_nodes(cluster: Cluster) -> frozenset[str]:
    """Nodes on which a service's program runs that could gain rights, as the kernel says of the link's."""
    try:
        told = await cluster.exec_everywhere(names.link(), ["grep", "NoNewPrivs", "/proc/1/status"])
    except FirstbellError:  # no link, or it is just being replaced: then nothing is known
        return frozenset()
    return frozenset(node for node, result in told.items() if result.stdout.split() == [b"NoNewPrivs:", b"0"])


def _servers(observed: Observed, course: str) -> int:
    return len([c for c in observed.of_role(Role.SERVER) if c.labels.get(LABEL_COURSE) == course])


def _with_networks(looks: Sequence[NodeLook], observed: Observed) -> tuple[NodeLook, ...]:
    """Which courses' networks a node lacks, as far as the cluster knows where they are."""
    spread = [n for n in observed.networks if n.nodes and n.labels.get("firstbell.role") == Role.SERVERS]

    def missing(look: NodeLook) -> tuple[str, ...]:
        return tuple(n.labels.get(LABEL_COURSE, n.name) for n in spread if look.name not in n.nodes)

    return tuple(replace(look, missing_networks=missing(look)) for look in looks)
