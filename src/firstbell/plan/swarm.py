"""What `up` and `down` have to do on a Swarm: as on one machine, and what its nodes need beside that. Pure.

What later steps say depends on what earlier ones bring about (an image's digest, the keys), so the steps are carried
out stage by stage and planned anew between two stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum
from ipaddress import IPv4Network

from firstbell.errors import StartFailed
from firstbell.link.keys import KEY_FILE
from firstbell.model import names
from firstbell.model.cluster import KeyRole
from firstbell.model.container import HOST_NETWORK, MIB, ContainerSpec, File, Restart, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import CLUSTER, LABEL_COURSE, LABEL_HUB_NODE, Role
from firstbell.model.observed import NodeState, Observed, Phase
from firstbell.model.runtime import HUB_UID, Runtime, listening_port
from firstbell.model.steps import (
    BuildImage,
    CheckImage,
    EnsureNetwork,
    EnsureVolume,
    LayOutFiles,
    MakeKeys,
    PrepareNode,
    PullImage,
    PushImage,
    RemoveNetwork,
    RemoveVolume,
    RunHelper,
    SpreadImage,
    StartContainer,
    Step,
    StopContainer,
)
from firstbell.plan import cluster as shared_plan
from firstbell.plan import deploy, network
from firstbell.plan.cluster import ClusterInputs
from firstbell.plan.deploy import KEPT_VOLUMES, course_volumes, servers_subnet
from firstbell.plan.services import PYTHON, Inputs, service, service_specs

_RESERVED = 3
"""Addresses of a subnet that no server gets: network, gateway, broadcast."""
_LARGEST = 20
"""Prefix of the largest subnet: 12 bits of a server's place make its address for the hub."""


class Stage(IntEnum):
    """Steps of one stage do not depend on each other's outcome in what they say."""

    IMAGES = 0
    KEYS = 1
    SHARED = 2
    PUSH = 3
    SPREAD = 4
    LINK = 5
    """A link that is there already is what images travel by, so it is changed after them."""
    COURSE = 6


def stage(step: Step) -> Stage:
    """When a step is carried out."""
    match step:
        case PullImage() | BuildImage():
            return Stage.IMAGES
        case PrepareNode() | MakeKeys():
            return Stage.KEYS
        case StartContainer(spec=spec, why="changed") if spec.name == names.link():
            return Stage.LINK
        case StartContainer(spec=spec) | EnsureVolume(spec=spec) if spec.labels.get(LABEL_COURSE) == CLUSTER:
            return Stage.SHARED
        case PushImage():
            return Stage.PUSH
        case SpreadImage():
            return Stage.SPREAD
    return Stage.COURSE


def plan_up(inputs: Inputs, observed: Observed, shared: Observed) -> tuple[Step, ...]:
    """The steps from what is observed, of the course and of what all share, to what the course says.

    Raises StartFailed where the cluster has no room for the course.
    """
    cluster = _cluster(inputs)
    course = inputs.course
    refuse_small_subnet(course, servers_subnet(course, observed), observed)
    hub = hub_node(course, observed)
    made = course_runtime(inputs, observed)
    specs = course_specs(inputs, made, hub, observed.engine.nodes)
    containers = (*_missing_somewhere(specs, observed), *deploy.container_steps(specs, observed))
    steps = (
        *deploy.image_steps(inputs),
        *([BuildImage(cluster.registry_image, "registry of the cluster")] if cluster.registry_image_missing else []),
        *shared_plan.own_node_steps(observed),
        *shared_plan.shared_steps(cluster, inputs.hub_image.tag, shared),
        *([CheckImage(inputs.server_image)] if containers and not course.server.port else []),
        *_delivery(inputs, cluster),
        *_network_steps(course, observed, hub),
        *_volume_steps(course, observed, hub),
        *([LayOutFiles(inputs.server_image, inputs.hub_image.tag)] if inputs.static_missing else []),
        *containers,
    )
    return tuple(sorted(steps, key=stage))


def _missing_somewhere(specs: tuple[ContainerSpec, ...], observed: Observed) -> Iterator[Step]:
    """What runs as it should, but not on every node on which servers can be."""
    usable = {node.name for node in observed.engine.nodes if node.usable}
    for spec in specs:
        states = [state for state in observed.containers if state.name == spec.name]
        there = {state.node for state in states if state.phase is Phase.RUNNING}
        first = next(iter(states), None)
        as_it_should = first and first.phase is Phase.RUNNING and first.spec_hash == spec.spec_hash
        if spec.every_node and as_it_should and usable - there:
            yield StartContainer(spec, f"not on {', '.join(sorted(usable - there))}")


def _cluster(inputs: Inputs) -> ClusterInputs:
    if inputs.cluster is None:
        raise AssertionError("inputs were not gathered from a cluster")
    return inputs.cluster


def hub_node(course: Course, observed: Observed) -> NodeState:
    """The node of the hub: that of its state, else the manager on which `up` runs. Raises StartFailed if it is gone."""
    nodes = {node.name: node for node in observed.engine.nodes}
    state = observed.volume(names.volume(course.name, Role.STATE))
    found = nodes.get(state.node) if state and state.node else observed.engine.own_node
    if found is None:
        raise StartFailed(
            "the node that keeps this course's people and seats is not in the cluster any more",
            where=state.node if state else "",
            next_step="Bring that machine back: `firstbell nodes list` shows all. "
            "To give up what it keeps: `firstbell down --delete-homes`.",
        )
    return found


def course_runtime(inputs: Inputs, observed: Observed) -> Runtime:
    """As on one machine. What the nodes have is asked of them at each start, so that a new one replaces no hub."""
    subnet = servers_subnet(inputs.course, observed)
    return replace(deploy.course_runtime(inputs, observed), subnet=subnet, cpus=0, memory=0)


def course_specs(
    inputs: Inputs, made: Runtime, hub: NodeState, nodes: tuple[NodeState, ...]
) -> tuple[ContainerSpec, ...]:
    """Guard on every node; tunnel, proxy, hub and edge on the hub's, in the order in which they start."""
    addresses = tuple(sorted(node.address for node in nodes if node.prepared or node.id == hub.id))
    way_out = replace(inputs.way_out, nodes=addresses)
    guard, *others = service_specs(replace(inputs, way_out=way_out), made)
    bridge = bridge_arguments(inputs.course.name, made)
    specs = (
        replace(guard, command=(*guard.command, *bridge), every_node=True),
        _tunnel(inputs, made, hub),
        *(replace(spec, node=hub.name) for spec in others),
    )
    role_keys = File(KEY_FILE, _bundle(inputs, KeyRole.HUB), 0o400, HUB_UID, HUB_UID)
    return tuple(
        replace(
            spec,
            restart=Restart.ALWAYS,
            files=(*spec.files, role_keys) if spec.labels[names.LABEL_ROLE] == Role.HUB else spec.files,
        )
        for spec in specs
    )


def bridge_arguments(course: str, made: Runtime) -> tuple[str, str]:
    """Name and address of the bridge that a guard keeps on its node."""
    return names.bridge(course), f"{made.gateway}/{IPv4Network(made.subnet, strict=False).prefixlen}"


def _tunnel(inputs: Inputs, made: Runtime, hub: NodeState) -> ContainerSpec:
    port = listening_port(inputs.course.server.port)
    command = (PYTHON, "-m", "firstbell.link.tunnel", "--subnet", made.subnet, "--server-port", str(port))
    return replace(
        service(inputs, Role.TUNNEL, command, 512 * MIB),
        user="0:0",
        # Binding to the loopback device was root's alone before Linux 5.7.
        capabilities=("NET_RAW", *shared_plan.BECOMING),
        files=(File(KEY_FILE, _bundle(inputs, KeyRole.TUNNEL), 0o400),),
        node=hub.name,
    )


def _bundle(inputs: Inputs, role: KeyRole) -> bytes:
    keys = _cluster(inputs).keys
    return keys.of(role).bundle if keys and role in keys.pairs else b""


def _delivery(inputs: Inputs, cluster: ClusterInputs) -> Iterator[Step]:
    """Every image goes to the registry, and from there to each node that lacks it."""
    for image in inputs.images:
        lacking = cluster.lacking.get(image, ())
        if image not in cluster.pinned or lacking:
            yield PushImage(image)
        if lacking:
            yield SpreadImage(image, lacking)


def _network_steps(course: Course, observed: Observed, hub: NodeState) -> Iterator[Step]:
    existing = observed.network(names.network(course.name))
    missing = {n.name for n in observed.engine.nodes if n.usable} - set(existing.nodes if existing else ())
    if existing is None or missing:
        subnet = servers_subnet(course, observed)
        spec = network.network_spec(course.name, subnet)
        labels = frozen({**spec.labels, LABEL_HUB_NODE: hub.address})
        yield EnsureNetwork(replace(spec, labels=labels, device_made=True))


def _volume_steps(course: Course, observed: Observed, hub: NodeState) -> Iterator[Step]:
    for role in course_volumes(course):
        name = names.volume(course.name, role)
        if observed.volume(name) is None:
            yield EnsureVolume(VolumeSpec(name, frozen(names.labels(course.name, role)), node=hub.name))


def refuse_small_subnet(course: Course, subnet: str, observed: Observed) -> None:
    """Raises StartFailed where the addresses of all nodes are fewer than the people who may be in, or too many."""
    addresses = IPv4Network(subnet, strict=False)
    if addresses.prefixlen < _LARGEST:
        raise StartFailed(
            f"on a cluster the subnet of servers is a /{_LARGEST} at most, and {subnet} is larger",
            where="[network] subnet",
            next_step=f'Write for example subnet = "{next(addresses.subnets(new_prefix=_LARGEST))}": '
            "that many on each node.",
        )
    nodes = max(1, sum(node.prepared and node.ready for node in observed.engine.nodes))
    each = addresses.num_addresses - _RESERVED
    if each * nodes < course.access.capacity:
        raise StartFailed(
            f"{subnet} has addresses for {each} servers on each node, so for {each * nodes} on "
            f"{'one node' if nodes == 1 else f'{nodes} nodes'}, and the course is for {course.access.capacity} people",
            where="[network] subnet",
            next_step="Leave subnet out, or write a larger one (a /20 has 4093 on each node); "
            "or lower capacity in [access].",
        )


def plan_down(
    course: Course,
    observed: Observed,
    shared: Observed,
    hub_image: str,
    *,
    courses: frozenset[str] = frozenset(),
    delete_homes: bool = False,
) -> tuple[Step, ...]:
    """The steps that end a course on every node that answers; `courses` are all that the cluster has.

    Homes stay, and with them who they belong to. What a node that is away keeps is ended when `down` is run again; so
    long the hub's state stays as well, also with `delete_homes`.
    """
    order = (
        Role.EDGE, Role.HUB, Role.PROXY, Role.TUNNEL, Role.FORMGRADER, Role.APP, Role.SERVER, Role.HELPER, Role.GUARD,
    )  # fmt: skip
    found = {state.name: state for role in order for state in observed.of_role(role.value)}
    stops = [StopContainer(state.name, state.role, grace=15) for state in found.values()]
    kept = set() if delete_homes else set(KEPT_VOLUMES)
    if away(shared):
        kept.add(Role.STATE.value)  # who has which home, until the last of them can be deleted
    volumes = [
        RemoveVolume(v.name, v.user if v.role == Role.HOME else "") for v in observed.volumes if v.role not in kept
    ]
    return (
        *stops,
        *_unguard(course, observed, hub_image),
        *[RemoveNetwork(n.name) for n in observed.networks],
        *volumes,
        *shared_plan.plan_leave(shared, courses, course.name),
    )


def _unguard(course: Course, observed: Observed, hub_image: str) -> Iterator[Step]:
    """On each node that has the network: it goes after this, so that a `down` cut short does it again."""
    having = {name for found in observed.networks for name in found.nodes}
    if not hub_image:
        return
    for node in observed.engine.nodes:
        if node.linked and node.name in having:
            yield RunHelper(
                ContainerSpec(
                    name=f"{names.container(course.name, Role.HELPER)}-unguard",
                    image=hub_image,
                    command=(
                        PYTHON, "-m", "firstbell.hub.guard", "--remove",
                        network.table_name(course.name), names.bridge(course.name),
                    ),
                    labels=frozen(names.labels(course.name, Role.HELPER)),
                    user="0:0",
                    network=HOST_NETWORK,
                    capabilities=("NET_ADMIN",),
                    node=node.name,
                ),
                f"remove the bridge and the packet filter's rules on {node.name}",
            )  # fmt: skip


def away(observed: Observed) -> tuple[NodeState, ...]:
    """Prepared nodes that do not answer: what they keep of a course cannot be ended now."""
    return tuple(node for node in observed.engine.nodes if node.prepared and not node.linked)
