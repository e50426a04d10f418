"""What stands in the way of courses on the nodes of a cluster, from facts alone. Pure; `work/node_look.py` gathers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from firstbell.model.cluster import LINK_PORT
from firstbell.model.container import GIB, MIB
from firstbell.model.course import Course
from firstbell.model.observed import NodeState
from firstbell.plan.doctor_facts import (
    CLOCK_BROKEN,
    CLOCK_SKEW,
    LOW_DISK,
    LOWEST_ENGINE,
    SCARCE_DISK,
    Disk,
    Finding,
    Level,
)
from firstbell.plan.doctor_facts import gigabytes as _gb
from firstbell.plan.node_facts import GOSSIP_PORT, SWARM_PORT, ClusterFacts, NodeLook, PortAnswer, PortLook

LOW_MEMORY = 512 * MIB
"""Of a node: below it the queue starts nobody there (a server and the reserve of `plan/memory_room.py`)."""
_KEYS_END_SOON = 365
"""Days; a course is brought up at least once a year."""
_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Docker's words for what kernels call otherwise."""


def cluster_findings(cluster: ClusterFacts, course: Course | None = None) -> Iterator[Finding]:
    """Everything that was looked at: the managers, then each node, then what they are together."""
    yield from _managers(cluster)
    manager = next((look for look in cluster.nodes if look.node.manager and look.architecture), None)
    for look in cluster.nodes:
        yield from node_findings(look, manager.architecture if manager else "")
    yield from _addresses(cluster, course)
    yield from _keys(cluster)
    yield from _together(cluster, course)


def node_findings(look: NodeLook, architecture: str = "") -> Iterator[Finding]:
    """Everything that was looked at on one node; `architecture` is that of the courses' images."""
    node, before = look.node, 0
    found = [
        *_version(node.name, node.version),
        *_standing(look),
        *_architecture(look, architecture),
        *_ports(look),
        *_clock(look),
        *node_disk(node.name, look.disk),
        *_memory(node),
        *_images(look),
        *_rights(look),
    ]
    before = sum(f.level in {Level.PROBLEM, Level.WARNING} for f in found)
    if not before and node.usable:
        yield Finding(Level.OK, _all_well(look), node.name)
    yield from found


def _all_well(look: NodeLook) -> str:
    node = look.node
    free = f", {_gb(node.memory_available)} of {_gb(node.memory)} memory free" if node.memory_available else ""
    disk = f", {_gb(look.disk.free)} disk free" if look.disk else ""
    clock = f", clock within {max(abs(look.skew), 0.01):.2f} s" if look.skew is not None else ""
    return f"Docker Engine {node.version}, {node.cpus} cores{free}{disk}{clock}"


def _version(name: str, version: str) -> Iterator[Finding]:
    parts = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if parts and parts < LOWEST_ENGINE:
        lowest = ".".join(map(str, LOWEST_ENGINE))
        yield Finding(
            Level.PROBLEM,
            f"Docker Engine {version} is older than {lowest}",
            name,
            f"firstbell nodes drain {name}, then upgrade Docker Engine there.",
        )


def _standing(look: NodeLook) -> Iterator[Finding]:
    node = look.node
    if not node.ready:
        yield Finding(
            Level.PROBLEM,
            "the Swarm does not hear from it",
            node.name,
            f"On {node.name}: systemctl status docker; and nc -vz MANAGER {SWARM_PORT}. "
            f"If it will not come back: firstbell nodes remove {node.name}",
        )
    elif not node.prepared:
        yield Finding(Level.NOTE, "it takes no servers: it is not prepared", node.name, prepare_command(node))
    elif not node.linked:
        yield Finding(
            Level.PROBLEM,
            "its link does not answer" + (f": {look.why_away}" if look.why_away else ""),
            node.name,
            f"Open TCP {LINK_PORT} between all nodes; see: docker service ps --no-trunc firstbell_link",
        )
    if node.availability != "active":
        yield Finding(
            Level.NOTE,
            f"no new servers are started there ({node.availability})",
            node.name,
            f"To use it again: firstbell nodes undrain {node.name}",
        )


def prepare_command(node: NodeState) -> str:
    """What prepares a node, to type."""
    by = "" if node.linked or node.manager else f" --host ssh://root@{node.address or node.name}"
    return f"firstbell nodes prepare {node.name}{by}"


def _architecture(look: NodeLook, architecture: str) -> Iterator[Finding]:
    own, others = (_NAMES.get(word, word) for word in (look.architecture, architecture))
    if own and others and own != others:
        yield Finding(
            Level.PROBLEM,
            f"its processor is {own}, the images are for {others}",
            look.name,
            f"firstbell nodes remove {look.name}; all nodes of a cluster are of one kind.",
        )


def _ports(look: NodeLook) -> Iterator[Finding]:
    for port in look.ports:
        if port.answer is PortAnswer.OPEN or (port.answer is PortAnswer.REFUSED and port.port != SWARM_PORT):
            continue
        yield _closed(port)


def _closed(port: PortLook) -> Finding:
    what = "does not answer" if port.answer is PortAnswer.SILENT else "refuses"
    why = f" ({port.why})" if port.why else ""
    level = Level.WARNING if port.port == GOSSIP_PORT else Level.PROBLEM
    uses = {
        SWARM_PORT: "without it the node gets no work",
        GOSSIP_PORT: "Swarm's overlay networks need it, courses do not",
        LINK_PORT: "without it nobody's server is reached",
    }.get(port.port, "")
    return Finding(
        level,
        f"from {port.source}, port {port.port} of {port.target} {what}{why}; {uses}",
        port.source,
        f"On {port.target} allow TCP {port.port} from {port.source}; try on {port.source}: "
        f"nc -vz {port.address} {port.port}",
    )


def _clock(look: NodeLook) -> Iterator[Finding]:
    if look.skew is None or abs(look.skew) <= CLOCK_SKEW:
        return
    level = Level.PROBLEM if abs(look.skew) > CLOCK_BROKEN else Level.WARNING
    yield Finding(
        level,
        f"its clock is {abs(look.skew):.0f} s {'ahead of' if look.skew > 0 else 'behind'} the manager's; "
        "certificates and the times of files depend on it",
        look.name,
        f"On {look.name}: timedatectl set-ntp true",
    )


def node_disk(name: str, disk: Disk | None) -> Iterator[Finding]:
    """Whether the node's engine has room for images."""
    if disk is not None and disk.free < LOW_DISK:
        yield Finding(
            Level.PROBLEM if disk.free < SCARCE_DISK else Level.WARNING,
            f"little disk space for its engine: {_gb(disk.free)} of {_gb(disk.total)} free",
            name,
            f"On {name}: docker image prune; docker builder prune; df -h",
        )


def _memory(node: NodeState) -> Iterator[Finding]:
    if node.memory_available and node.memory_available < LOW_MEMORY:
        yield Finding(
            Level.WARNING,
            f"only {node.memory_available // MIB} MB of its memory are free: nobody is started there",
            node.name,
            f"See who uses it: firstbell status; or use less of it: firstbell nodes drain {node.name}",
        )


def _images(look: NodeLook) -> Iterator[Finding]:
    if not look.node.usable:
        return
    command = f"firstbell nodes prepare {look.name}"
    for image in look.missing_images:
        yield Finding(Level.WARNING, f"the image {image} is not there: no server of it starts", look.name, command)
    for course in look.missing_networks:
        yield Finding(Level.WARNING, f"the network of the course “{course}” is not there", look.name, command)


def _rights(look: NodeLook) -> Iterator[Finding]:
    """All capabilities are dropped, so a setuid program can do little; that it cannot begin at all is better."""
    if look.may_gain_rights:
        yield Finding(
            Level.NOTE,
            "its services cannot ask for no-new-privileges, and its daemon does not set it: setuid programs of an "
            "image run as their owner, without any capability",
            look.name,
            f'On {look.name}: "no-new-privileges": true in /etc/docker/daemon.json; systemctl restart docker',
        )


def _managers(cluster: ClusterFacts) -> Iterator[Finding]:
    count, reachable = len(cluster.managers), sum(m.is_reachable for m in cluster.managers)
    where = "managers"
    away = [m.name for m in cluster.managers if not m.is_reachable]
    if away:
        # Raft goes on with more than half of the managers (docs.docker.com/engine/swarm/admin_guide).
        spare = reachable - (count // 2 + 1)
        yield Finding(
            Level.PROBLEM,
            f"{len(away)} of {count} managers away: {', '.join(away)}; "
            + ("if one more goes, nothing can be started" if spare <= 0 else f"{spare} more may go"),
            where,
            f"Bring it back, or: docker node demote {away[0]}, and docker node promote another one.",
        )
    if count == 1:
        yield Finding(
            Level.NOTE,
            "one manager: while it is away servers go on, but nobody can log in or start one",
            where,
            "With three machines or more, three managers: docker node promote NODE NODE",
        )
    elif count == 2:
        yield Finding(
            Level.WARNING,
            "two managers: if either is away, nothing can be started or changed; one alone is safer",
            where,
            f"docker node demote {cluster.managers[-1].name}, or promote a third",
        )
    elif count and not away:
        yield Finding(Level.OK, f"{count} managers, of which {(count - 1) // 2} may be away", where)
    if cluster.is_autolocked:
        yield Finding(
            Level.WARNING,
            "the Swarm is autolocked: a manager that restarts does nothing until somebody types its key",
            where,
            "Keep the key at hand: docker swarm unlock-key; or docker swarm update --autolock=false",
        )


def _addresses(cluster: ClusterFacts, course: Course | None) -> Iterator[Finding]:
    """A node has those of the subnet for servers, but for network, gateway and broadcast."""
    usable = sum(look.node.usable for look in cluster.nodes)
    for one in cluster.courses:
        each = max(IPv4Network(one.subnet).num_addresses - 3, 0)
        capacity = course.access.capacity if course and course.name == one.course else one.servers
        if capacity > each * usable:
            yield Finding(
                Level.PROBLEM,
                f"addresses: {capacity} servers, but {plural_nodes(usable)} with {each} addresses each",
                one.course,
                f'A larger subnet in [network], for example subnet = "10.111.0.0/20", or fewer than {each * usable}.',
            )
        else:
            yield Finding(Level.OK, f"addresses: {each} on each of {plural_nodes(usable)}", one.course)


def _keys(cluster: ClusterFacts) -> Iterator[Finding]:
    """`up` renews what its authority has signed long before it ends, the authority itself never."""
    if cluster.keys_days is None or cluster.authority_days is None:
        return
    where = "keys"
    for what, days, command in (
        ("the keys of the cluster", cluster.keys_days, "firstbell up"),
        ("the certificates of the keys' authority", cluster.authority_days, "firstbell nodes renew-keys"),
    ):
        if days < 0:
            yield Finding(Level.PROBLEM, f"{what} have run out: no node is reached", where, command)
        elif days < _KEYS_END_SOON:
            yield Finding(Level.WARNING, f"{what} end in {days} days: then no node is reached", where, command)
    first = min(cluster.keys_days, cluster.authority_days)
    if first >= _KEYS_END_SOON:
        yield Finding(Level.OK, f"the cluster's keys are good for {first // 365} years", where)


def plural_nodes(count: int) -> str:
    """`1 node`, `3 nodes`."""
    return f"{count} node" + "s" * (count != 1)


def _together(cluster: ClusterFacts, course: Course | None) -> Iterator[Finding]:
    usable = [look.node for look in cluster.nodes if look.node.usable]
    if not cluster.nodes:
        return
    if not usable:
        yield Finding(
            Level.PROBLEM if course else Level.NOTE,
            "no node is prepared: no server can be started",
            "nodes",
            "firstbell up prepares the manager; others: firstbell nodes prepare NODE --host ssh://root@NODE",
        )
        return
    largest = max(node.memory for node in usable)
    if course is not None and course.server.memory > largest - GIB:
        yield Finding(
            Level.WARNING,
            f"one server's limit of {_gb(course.server.memory)} is more than any node can give ({_gb(largest)})",
            "[server] memory",
            f'memory = "{max(1, int((largest - GIB) / GIB))}G"',
        )
    yield Finding(
        Level.OK,
        f"{plural_nodes(len(usable))} for servers: {sum(n.cpus for n in usable)} cores, "
        f"{_gb(sum(n.memory for n in usable))}",
        "nodes",
    )
