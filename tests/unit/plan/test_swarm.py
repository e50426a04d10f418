"""What `up` and `down` plan on a Swarm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from firstbell.errors import StartFailed
from firstbell.link import authority
from firstbell.link.keys import KEY_FILE
from firstbell.model import names
from firstbell.model.cluster import KeyRole
from firstbell.model.container import ContainerSpec, Restart, frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import CLUSTER, Role
from firstbell.model.observed import (
    ContainerState,
    EngineFacts,
    NetworkState,
    NodeState,
    Observed,
    Phase,
    VolumeState,
)
from firstbell.model.steps import (
    BuildImage,
    EnsureNetwork,
    EnsureVolume,
    MakeKeys,
    PrepareNode,
    PushImage,
    RemoveNetwork,
    RemoveVolume,
    RunHelper,
    SpreadImage,
    StartContainer,
    Step,
    StopContainer,
)
from firstbell.plan.cluster import ClusterInputs, free_number, link_spec, registry_name, registry_spec
from firstbell.plan.services import Inputs
from firstbell.plan.swarm import (
    Stage,
    course_runtime,
    course_specs,
    plan_down,
    plan_up,
    refuse_small_subnet,
    stage,
)

KEYS = authority.make(datetime(2026, 1, 1, tzinfo=UTC))
IMAGES = ("firstbell/hub:1", "firstbell/c:1")
PINNED = {tag: f"localhost:5000/{tag.partition(':')[0]}@sha256:{'a' * 64}" for tag in IMAGES}


def nodes(*names_: str) -> tuple[NodeState, ...]:
    """Prepared nodes that answer, the first a manager."""
    return tuple(
        NodeState(name, f"id-{name}", f"10.0.0.{i}", number=i, manager=i == 1, linked=True)
        for i, name in enumerate(names_, 1)
    )


def course(**network: Any) -> Course:
    return Course.model_validate(
        {"name": "c", "server": {"project": "/p"}, "engine": {"kind": "swarm"}, "network": network}
    )


@pytest.fixture
def inputs() -> Inputs:
    """Everything built, pushed and on every node, and the keys made."""
    cluster = ClusterInputs(
        BuildSpec("firstbell/registry:1", "FROM x"),
        keys=KEYS,
        ids=frozen({tag: f"sha256:{tag}" for tag in (*IMAGES, "firstbell/registry:1")}),
        pinned=frozen(PINNED),
    )
    return Inputs(
        course=course(),
        hub_image=BuildSpec(IMAGES[0], "FROM x"),
        course_image=BuildSpec(IMAGES[1], "FROM x"),
        cluster=cluster,
    )


def empty(of: str = "c", present: tuple[NodeState, ...] = nodes("node1", "node2")) -> Observed:
    return Observed(of, EngineFacts(nodes=present, node_id="id-node1"))


def states(specs: tuple[ContainerSpec, ...]) -> tuple[ContainerState, ...]:
    """All of them run, those of every node on both."""
    return tuple(
        ContainerState(
            s.name, Phase.RUNNING, image=s.image, labels=frozen({**s.labels, names.LABEL_SPEC: s.spec_hash}), node=node
        )
        for s in specs
        for node in (("node1", "node2") if s.every_node else (s.node,))
    )


def up_already(inputs: Inputs) -> tuple[Observed, Observed]:
    """What is observed after `up`: of the course, and of what all share."""
    assert inputs.cluster
    present = nodes("node1", "node2")
    network = NetworkState(names.network("c"), "172.31.0.1", "172.31.0.0/20", nodes=("node1", "node2"))
    volumes = tuple(
        VolumeState(names.volume("c", role), frozen(names.labels("c", role)), node="node1")
        for role in (Role.STATE, Role.SECRETS, Role.CERTIFICATES, Role.STATIC)
    )
    observed = replace(empty(), networks=(network,), volumes=volumes)
    specs = course_specs(inputs, course_runtime(inputs, observed), present[0], present)
    registry = VolumeState(names.registry(), frozen(names.labels(CLUSTER, Role.REGISTRY)), node="node1")
    keys = VolumeState(names.cluster_keys(), frozen(names.labels(CLUSTER, Role.KEYS)), node="node1")
    shared = replace(empty(CLUSTER), volumes=(registry, keys))
    common = (link_spec(inputs.cluster, IMAGES[0], shared), registry_spec(inputs.cluster, present[0]))
    return replace(observed, containers=states(specs)), replace(shared, containers=states(common))


def kinds(steps: tuple[Step, ...]) -> list[type[Step]]:
    return [type(step) for step in steps]


def test_a_fresh_swarm_gets_everything_in_order():
    """Images are built, the node is made ready, keys, registry and link come, then the push, and the course's parts."""
    cluster = ClusterInputs(BuildSpec("firstbell/registry:1", "FROM x"))
    fresh = Inputs(
        course=course(),
        hub_image=BuildSpec(IMAGES[0], "FROM x"),
        course_image=BuildSpec(IMAGES[1], "FROM x"),
        course_image_missing=True,
        hub_image_missing=True,
        cluster=cluster,
    )
    one = (NodeState("node1", "id-node1", "10.0.0.1", manager=True),)
    steps = plan_up(fresh, empty(present=one), empty(CLUSTER, one))
    assert [step for step in steps if isinstance(step, PrepareNode)] == [PrepareNode("node1", 1)]
    stages = [stage(step) for step in steps]
    assert stages == sorted(stages)
    started = [step.spec.labels[names.LABEL_ROLE] for step in steps if isinstance(step, StartContainer)]
    assert started == ["registry", "link", "guard", "tunnel", "proxy", "hub", "edge"]
    wanted = {BuildImage, PrepareNode, MakeKeys, EnsureVolume, StartContainer, PushImage, EnsureNetwork}
    assert wanted <= set(kinds(steps))
    assert SpreadImage not in kinds(steps)


def test_up_to_date(inputs: Inputs):
    """A course that is up as its file says gives nothing to do."""
    assert plan_up(inputs, *up_already(inputs)) == ()


def test_a_node_without_its_guard_gets_it(inputs: Inputs):
    """A guard that is missing on a node on which servers can be is started, though it runs everywhere else."""
    observed, shared = up_already(inputs)
    guard = names.container("c", Role.GUARD)
    left = tuple(state for state in observed.containers if (state.name, state.node) != (guard, "node2"))
    steps = plan_up(inputs, replace(observed, containers=left), shared)
    assert [str(step) for step in steps if isinstance(step, StartContainer)] == [f"start {guard} (not on node2)"]


def test_a_changed_link_comes_after_the_images_that_travel_by_it(inputs: Inputs):
    """A link that is there is changed once every node has the new image; the same program is no reason to change it."""
    observed, shared = up_already(inputs)
    assert inputs.cluster
    newer = {**inputs.cluster.ids, IMAGES[0]: "sha256:newer"}
    inputs = replace(inputs, cluster=replace(inputs.cluster, ids=frozen(newer)))
    assert not any(names.link() in str(step) for step in plan_up(inputs, observed, shared))
    old = tuple(
        replace(state, labels=frozen({**state.labels, names.LABEL_HASH: "old", names.LABEL_SPEC: "old"}))
        if state.name == names.link()
        else state
        for state in shared.containers
    )
    lacking = replace(inputs.cluster or ClusterInputs(BuildSpec("r:1", "")), lacking=dict.fromkeys(IMAGES, ("node2",)))
    steps = plan_up(replace(inputs, cluster=lacking), observed, replace(shared, containers=old))
    said = [str(step) for step in steps]
    assert said.index(f"start {names.link()} (changed)") > said.index(f"bring {IMAGES[0]} to node2")


def test_a_node_that_joined_gets_images_and_network_and_nobody_is_disturbed(inputs: Inputs):
    """For a new node images are spread and the network is made; the guard alone learns of its address."""
    observed, shared = up_already(inputs)
    more = nodes("node1", "node2", "node3")
    observed = replace(observed, engine=replace(observed.engine, nodes=more))
    assert inputs.cluster
    inputs = replace(inputs, cluster=replace(inputs.cluster, lacking=dict.fromkeys(IMAGES, ("node3",))))
    steps = plan_up(inputs, observed, replace(shared, engine=observed.engine))
    assert [str(s) for s in steps if isinstance(s, SpreadImage)] == [f"bring {tag} to node3" for tag in IMAGES]
    assert [s.spec.labels[names.LABEL_ROLE] for s in steps if isinstance(s, StartContainer)] == ["guard"]
    assert EnsureNetwork in kinds(steps)


def test_the_courses_parts_are_where_its_state_is(inputs: Inputs):
    """Guards are on every node; the other parts on the node that has the state, wherever `up` runs."""
    observed, _ = up_already(inputs)
    moved = tuple(replace(volume, node="node2") for volume in observed.volumes)
    steps = plan_up(inputs, replace(observed, volumes=moved, containers=()), empty(CLUSTER))
    specs = {s.spec.labels[names.LABEL_ROLE]: s.spec for s in steps if isinstance(s, StartContainer)}
    assert specs["guard"].every_node
    assert {specs[role].node for role in ("tunnel", "proxy", "hub", "edge")} == {"node2"}
    assert all(spec.restart is Restart.ALWAYS for spec in specs.values())


def test_each_part_holds_its_own_key_and_no_other(inputs: Inputs):
    """Hub, tunnel and link get their role's keys, for their user's eyes alone; nobody gets the authority's."""
    observed, shared = up_already(inputs)
    steps = plan_up(inputs, replace(observed, containers=()), replace(shared, containers=()))
    specs = {s.spec.labels[names.LABEL_ROLE]: s.spec for s in steps if isinstance(s, StartContainer)}
    keys = {role: [f for f in spec.files if f.path == KEY_FILE] for role, spec in specs.items()}
    held = {role: files[0] for role, files in keys.items() if files}
    assert {role: file.content for role, file in held.items()} == {
        "hub": KEYS.of(KeyRole.HUB).bundle,
        "tunnel": KEYS.of(KeyRole.TUNNEL).bundle,
        "link": KEYS.of(KeyRole.NODE).bundle,
    }
    assert {file.mode for file in held.values()} == {0o400}
    everything = b"".join(f.content or b"" for spec in specs.values() for f in spec.files)
    assert KEYS.authority.key not in everything


def test_images_are_pinned(inputs: Inputs):
    """What runs on more than one node is named by its digest in the cluster's registry; the hub is told so, too."""
    observed, _ = up_already(inputs)
    assert {state.image for state in observed.containers} == {PINNED[IMAGES[0]]}
    assert course_runtime(inputs, observed).image == PINNED[IMAGES[1]]


def test_servers_reach_no_machine_of_the_cluster(inputs: Inputs):
    """The guard closes the addresses of all nodes to servers, whatever the course lets them reach."""
    inputs = replace(inputs, course=course(egress="all"))
    observed, _ = up_already(inputs)
    present = observed.engine.nodes
    guard = course_specs(inputs, course_runtime(inputs, observed), present[0], present)[0]
    rules = next(f.content for f in guard.files if f.path.endswith("rules.nft")) or b""
    beyond = rules.decode().split("chain beyond")[1]
    assert "ip daddr { 10.0.0.1, 10.0.0.2 } drop" in beyond


def test_a_subnet_too_small_for_the_room_is_refused():
    """260 people on a /24 of one node are refused beforehand, with the figures; two nodes hold them (fault 26)."""
    room = course().model_copy(update={"access": course().access.model_copy(update={"capacity": 260})})
    with pytest.raises(StartFailed, match="addresses for 253 servers on each node, so for 253 on one node"):
        refuse_small_subnet(room, "10.111.0.0/24", empty(present=nodes("node1")))
    refuse_small_subnet(room, "10.111.0.0/24", empty())


def test_a_subnet_larger_than_addresses_of_the_tunnel_is_refused():
    """A subnet whose places do not fit the hub's addresses of servers is refused, and one that does is named."""
    with pytest.raises(StartFailed, match="/20 at most") as caught:
        refuse_small_subnet(course(), "10.0.0.0/16", empty())
    assert "10.0.0.0/20" in caught.value.next_step


def test_down_ends_everything_on_every_node_and_keeps_homes(inputs: Inputs):
    """Servers end first with the edge, each node gives up rules and network, homes and the hub's state stay."""
    observed, shared = up_already(inputs)
    home = VolumeState(names.home("c", "ada"), frozen(names.labels("c", Role.HOME, "ada")), node="node2")
    observed = replace(observed, volumes=(*observed.volumes, home))
    steps = plan_down(inputs.course, observed, shared, PINNED[IMAGES[0]], courses=frozenset({"c"}))
    assert [s.spec.node for s in steps if isinstance(s, RunHelper)] == ["node1", "node2"]
    assert RemoveNetwork in kinds(steps)
    removed = {s.name for s in steps if isinstance(s, RemoveVolume)}
    assert removed == {names.volume("c", Role.SECRETS), names.volume("c", Role.STATIC)}
    stopped = [s.name for s in steps if isinstance(s, StopContainer)]
    assert names.link() not in stopped
    assert names.container("c", Role.TUNNEL) in stopped
    assert len(stopped) == len(set(stopped))


def test_the_last_course_of_a_cluster_of_one_takes_link_registry_and_keys_along(inputs: Inputs):
    """Where no other node was prepared nothing of ours is left; another course keeps all of it."""
    observed, shared = up_already(inputs)
    one = replace(observed.engine, nodes=nodes("node1"))
    observed, shared = replace(observed, engine=one), replace(shared, engine=one)
    alone = {str(s) for s in plan_down(inputs.course, observed, shared, "i", courses=frozenset({"c"}))}
    assert {f"remove volume {names.cluster_keys()}", f"remove volume {names.registry()}"} <= alone
    beside = plan_down(inputs.course, observed, shared, "i", courses=frozenset({"c", "other"}))
    assert not any(names.link() in str(step) or names.cluster_keys() in str(step) for step in beside)


def test_a_node_that_is_away_is_left_for_the_next_down(inputs: Inputs):
    """Nothing is asked of a node that does not answer; what it keeps is found once it is back."""
    observed, shared = up_already(inputs)
    lost = (observed.engine.nodes[0], replace(observed.engine.nodes[1], linked=False))
    observed = replace(observed, engine=replace(observed.engine, nodes=lost))
    steps = plan_down(inputs.course, observed, shared, "i")
    assert [s.spec.node for s in steps if isinstance(s, RunHelper)] == ["node1"]


def test_who_has_a_home_is_known_until_the_last_home_can_be_deleted(inputs: Inputs):
    """While a node is away its homes stay, and so does the hub's state, which says whose they are."""
    observed, shared = up_already(inputs)
    state = f"remove volume {names.volume('c', Role.STATE)}"
    assert state in {str(step) for step in plan_down(inputs.course, observed, shared, "i", delete_homes=True)}
    lost = (observed.engine.nodes[0], replace(observed.engine.nodes[1], linked=False))
    observed, shared = (replace(o, engine=replace(o.engine, nodes=lost)) for o in (observed, shared))
    steps = {str(step) for step in plan_down(inputs.course, observed, shared, "i", delete_homes=True)}
    assert state not in steps
    assert f"remove volume {names.volume('c', Role.CERTIFICATES)}" in steps


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("firstbell/hub:1", "localhost:5000/firstbell/hub:1"),
        ("jupyter/scipy-notebook", "localhost:5000/jupyter/scipy-notebook:latest"),
        ("quay.io/a/b:c", "localhost:5000/quay.io/a/b:c"),
        ("host:5001/a:b", "localhost:5000/host-5001/a:b"),
        ("a/b@sha256:abc", "localhost:5000/a/b:sha256-abc"),
    ],
)
def test_names_in_the_registry(ref: str, name: str):
    """Whatever an image is called, it has a name in the cluster's registry, and no two share one."""
    assert registry_name(ref) == name


def test_numbers_are_given_once():
    """A node gets the lowest number that no other has."""
    assert free_number((*nodes("node1"), *nodes("x", "y", "z")[2:])) == 2


def test_stages_follow_each_other():
    """What is shared by courses starts before anything is pushed."""
    spec = registry_spec(ClusterInputs(BuildSpec("r:1", "FROM x")), None)
    assert stage(StartContainer(spec)) is Stage.SHARED < stage(PushImage("x"))
