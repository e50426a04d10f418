"""What all courses of a cluster share, as values: the link on every node, the registry, the keys. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from firstbell.link.keys import KEY_FILE, ClusterKeys
from firstbell.model import names
from firstbell.model.cluster import MOST_NODES, REGISTRY_PORT, KeyRole
from firstbell.model.container import (
    HOST_NETWORK,
    MIB,
    ContainerSpec,
    File,
    Limits,
    Mount,
    MountKind,
    Restart,
    VolumeSpec,
    frozen,
)
from firstbell.model.image import BuildSpec
from firstbell.model.names import CLUSTER, Role
from firstbell.model.observed import NodeState, Observed, Phase
from firstbell.model.runtime import HUB_UID, SOCKET
from firstbell.model.steps import EnsureVolume, MakeKeys, PrepareNode, RemoveVolume, StartContainer, Step, StopContainer
from firstbell.plan import registry_image

PYTHON = "/opt/firstbell/venv/bin/python3"
REGISTRY = f"localhost:{REGISTRY_PORT}"
"""Where every node's engine finds the cluster's images: its own link, on the registry's node the registry itself."""
BECOMING = ("SETGID", "SETUID")
"""What a program needs that begins as root and goes on as the hub's user, with the socket's group of its own node."""
REGISTRY_PROBE = (
    "python3", "-c",
    f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{REGISTRY_PORT}/v2/', timeout=5)",
)  # fmt: skip
"""What the registry is asked by in its container: whether it serves."""
NODE_SOCKET = "/var/run/docker.sock"
"""Of every node's daemon: the link mounts it, so it is the same path on all."""


@dataclass(frozen=True, slots=True)
class ClusterInputs:
    """All about a cluster that `up` reads before it plans, beside what is observed; `work/cluster.py` gathers it."""

    registry_image: BuildSpec
    keys: ClusterKeys | None = field(default=None, repr=False)
    """None until they are made."""
    keys_stale: bool = False
    ids: Mapping[str, str] = field(default_factory=frozen)
    """Of images that the manager has: by their tags."""
    pinned: Mapping[str, str] = field(default_factory=frozen)
    """`localhost:5000/NAME@sha256:…` of images that the registry was given: by their tags."""
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=frozen)  # type: ignore[arg-type]
    """The usable nodes that lack an image: by its tag."""

    @property
    def registry_image_missing(self) -> bool:
        """Whether it is still to be built."""
        return self.registry_image.tag not in self.ids


def registry_name(ref: str) -> str:
    """The name of an image in the cluster's registry: what is a host or a digest in `ref` becomes a part of it."""
    name, _, digest = ref.partition("@")
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, "latest"
    if digest:
        tag = digest.replace(":", "-")
    return f"{REGISTRY}/{re.sub(r':', '-', path)}:{tag}"


def own_node_steps(observed: Observed) -> Iterator[Step]:
    """The manager on which `up` runs is made ready by `up` itself."""
    own = observed.engine.own_node
    if own and not own.prepared:
        yield PrepareNode(own.name, free_number(observed.engine.nodes))


def free_number(nodes: tuple[NodeState, ...]) -> int:
    """The lowest number that no node of the cluster has."""
    taken = {node.number for node in nodes}
    return next(number for number in range(1, MOST_NODES + 1) if number not in taken)


def shared_steps(cluster: ClusterInputs, hub_image: str, shared: Observed) -> Iterator[Step]:
    """The keys, then registry and link, where they are not as they should be; `shared` is what exists of CLUSTER."""
    own = shared.engine.own_node
    if cluster.keys is None or cluster.keys_stale:
        yield MakeKeys(hub_image)
    if own and not _keeper(shared) and shared.volume(names.registry()) is None:
        yield EnsureVolume(VolumeSpec(names.registry(), frozen(names.labels(CLUSTER, Role.REGISTRY)), node=own.name))
    for spec in (registry_spec(cluster, registry_node(shared)), link_spec(cluster, hub_image, shared)):
        state = shared.container(spec.name)
        if state.phase is Phase.MISSING:
            yield StartContainer(spec, "new")
        elif state.spec_hash != spec.spec_hash:
            yield StartContainer(spec, "changed")
        elif state.phase is Phase.EXITED:
            yield StartContainer(spec, f"was {state.phase.value}")


def registry_node(shared: Observed) -> NodeState | None:
    """The node that keeps the images: that of the registry's volume, else the manager on which `up` runs."""
    name = _keeper(shared)
    return next((n for n in shared.engine.nodes if n.name == name), None) or shared.engine.own_node


def _keeper(shared: Observed) -> str:
    volume = shared.volume(names.registry())
    return volume.node if volume else ""


def link_spec(cluster: ClusterInputs, hub_image: str, shared: Observed) -> ContainerSpec:
    """The service that joins the nodes: one on each that is ready, with the right to its daemon.

    Its image is named by id: a node has it from whoever prepared it, before it reaches any registry.
    """
    keys = cluster.keys.of(KeyRole.NODE).bundle if cluster.keys and KeyRole.NODE in cluster.keys.pairs else b""
    keeper = registry_node(shared)
    program = link_program()
    running = shared.container(names.link()).labels
    # A new link cuts every connection through the old one: an image whose link is the same program is no reason.
    same = running.get(names.LABEL_HASH) == program
    image = running.get(names.LABEL_SOURCE, "") if same else cluster.ids.get(hub_image, hub_image)
    marks = {names.LABEL_HASH: program, names.LABEL_SOURCE: image}
    return ContainerSpec(
        name=names.link(),
        image=image,
        command=(PYTHON, "-m", "firstbell.link.node", *(["--registry", keeper.address] if keeper else [])),
        labels=frozen(names.labels(CLUSTER, Role.LINK) | marks),
        user="0:0",
        network=HOST_NETWORK,
        mounts=(Mount(MountKind.BIND, NODE_SOCKET, SOCKET),),
        files=(File(KEY_FILE, keys, 0o400),),
        capabilities=BECOMING,
        limits=Limits(memory=512 * MIB, pids=64),
        restart=Restart.ALWAYS,
        every_node=True,
    )


def link_program() -> str:
    """A digest of all that the link's program is made of."""
    ours = files("firstbell")
    folders = ((ours / "link", None), (ours / "model", ("cluster.py", "names.py", "proc.py", "pulse.py", "runtime.py")))
    digest = hashlib.sha256()
    for folder, wanted in folders:
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            if file.name in wanted if wanted else file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def registry_spec(cluster: ClusterInputs, node: NodeState | None) -> ContainerSpec:
    """The registry, on that node's loopback alone."""
    tag = cluster.registry_image.tag
    return ContainerSpec(
        name=names.registry(),
        image=cluster.ids.get(tag, tag),
        command=(registry_image.START,),
        labels=frozen(names.labels(CLUSTER, Role.REGISTRY)),
        user=f"{HUB_UID}:{HUB_UID}",
        network=HOST_NETWORK,
        mounts=(Mount(MountKind.VOLUME, names.registry(), registry_image.DATA_DIR),),
        files=(File(registry_image.DATA_DIR, None, 0o700, HUB_UID, HUB_UID),),
        limits=Limits(memory=512 * MIB, pids=128),
        restart=Restart.ALWAYS,
        node=node.name if node else "",
    )


def plan_leave(shared: Observed, courses: frozenset[str], course: str) -> tuple[Step, ...]:
    """What the end of `course` ends of the cluster: registry and link go with the last course of a cluster of one.

    Where other nodes were prepared they stay, with the keys: without them a node could not be reached again, and would
    have to be prepared anew.
    """
    own = shared.engine.own_node
    prepared = [node.name for node in shared.engine.nodes if node.prepared and node != own]
    if courses - {course} or prepared:
        return ()
    stops = (StopContainer(state.name, state.role) for state in shared.containers if state.role != Role.HELPER)
    return (*stops, *(RemoveVolume(volume.name) for volume in shared.volumes))
