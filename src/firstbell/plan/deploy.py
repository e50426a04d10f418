"""What `up` and `down` have to do, from what the course says and what exists. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firstbell.model import names
from firstbell.model.container import HOST_NETWORK, ContainerSpec, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.model.runtime import Runtime
from firstbell.model.steps import (
    BuildImage,
    CheckImage,
    EnsureNetwork,
    EnsureVolume,
    LayOutFiles,
    PullImage,
    RemoveNetwork,
    RemoveVolume,
    RunHelper,
    StartContainer,
    Step,
    StopContainer,
)
from firstbell.plan import network
from firstbell.plan.server import proxy_environment
from firstbell.plan.services import PYTHON, Inputs, service_specs

KEPT_VOLUMES = frozenset(
    role.value
    for role in (Role.HOME, Role.MOVING, Role.STATE, Role.SAVED, Role.CERTIFICATES, Role.COURSEWORK, Role.RESTORING)
)
"""What `down` leaves: people's files, and what belongs to them."""


def plan_up(inputs: Inputs, observed: Observed) -> tuple[Step, ...]:
    """The steps from what is observed to what the course says; none if it is so already."""
    made = course_runtime(inputs, observed)
    containers = tuple(container_steps(service_specs(inputs, made), observed))
    return (*preparations(inputs, observed, containers), *containers)


def preparations(inputs: Inputs, observed: Observed, containers: Sequence[Step]) -> tuple[Step, ...]:
    """What comes before the course's own containers, which are going to be those: images, network, volumes, files."""
    return (
        *image_steps(inputs),
        *([CheckImage(inputs.server_image)] if containers and not inputs.course.server.port else []),
        *_network_steps(inputs.course, observed),
        *_volume_steps(inputs.course, observed),
        *([LayOutFiles(inputs.server_image, inputs.hub_image.tag)] if inputs.static_missing else []),
    )


def course_runtime(inputs: Inputs, observed: Observed) -> Runtime:
    """Where the parts will find each other: the network that exists, else the one that will be made."""
    course = inputs.course
    existing = observed.network(names.network(course.name))
    return Runtime(
        course=course.name,
        image=inputs.ref(inputs.server_image),
        network=names.network(course.name),
        gateway=(existing.gateway if existing else "") or network.gateway_of(servers_subnet(course, observed)),
        subnet=servers_subnet(course, observed) if inputs.cluster else "",
        engine_kind=course.engine.kind,
        cpus=observed.engine.cpus,
        memory=observed.engine.memory,
        sidecar_image=inputs.ref(inputs.sidecar_image.tag) if inputs.sidecar_image else "",
        vault_image=inputs.ref(inputs.vault_image.tag) if inputs.vault_image else "",
        has_project=inputs.has_project,
        has_ca=bool(inputs.ca_bundle),
        proxy_environment=proxy_environment(course.network),
    )


def servers_subnet(course: Course, observed: Observed) -> str:
    """The subnet (CIDR) of the servers' network: of the one that exists, else of the one that will be made."""
    existing = observed.network(names.network(course.name))
    return existing.subnet if existing else new_subnet(course, observed)


def plan_down(course: Course, observed: Observed, hub_image: str, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """The steps that end a course. Homes stay, and with them who they belong to: the hub's state and certificates."""
    first = (Role.EDGE, Role.HUB, Role.PROXY)
    stops = [
        StopContainer(state.name, state.role, grace=15)
        for role in (*first, Role.FORMGRADER, Role.APP, Role.SERVER, Role.HELPER, Role.GUARD)
        for state in (*observed.of_role(role.value), *(observed.standbys if role is Role.SERVER else ()))
    ]
    stops += [StopContainer(state.name, "of an earlier version", grace=0) for state in observed.asides]
    kept = frozenset() if delete_homes else KEPT_VOLUMES
    volumes = [
        RemoveVolume(v.name, v.user if v.role == Role.HOME else "") for v in observed.volumes if v.role not in kept
    ]
    return (
        *stops,
        *_unguard(course, observed, hub_image),
        *[RemoveNetwork(n.name) for n in observed.networks],
        *volumes,
    )


def image_steps(inputs: Inputs) -> Iterator[Step]:
    """Those that get the images which this engine does not have."""
    course = inputs.course
    needs_base = (
        inputs.hub_image_missing,
        inputs.course_image is not None and inputs.course_image_missing,
        inputs.sidecar_image is not None and inputs.sidecar_image_missing,
        inputs.vault_image is not None and inputs.vault_image_missing,
    )
    if inputs.base_missing and any(needs_base):
        yield PullImage(course.server.base, "base image")
    if inputs.course_image_missing:
        if inputs.course_image:
            yield from (PullImage(ref, "base of the course image") for ref in inputs.course_bases_missing)
            yield BuildImage(inputs.course_image, "course image")
        else:
            yield PullImage(course.server.image, "course image")
    if inputs.hub_image_missing:
        yield BuildImage(inputs.hub_image, "hub, proxy and edge")
    if inputs.sidecar_image and inputs.sidecar_image_missing:
        yield BuildImage(inputs.sidecar_image, "side-car of the web application")
    if inputs.vault_image and inputs.vault_image_missing:
        yield BuildImage(inputs.vault_image, "restic, for backups")


def _network_steps(course: Course, observed: Observed) -> Iterator[Step]:
    if observed.network(names.network(course.name)) is None:
        yield EnsureNetwork(network.network_spec(course.name, new_subnet(course, observed)))


def new_subnet(course: Course, observed: Observed) -> str:
    """The subnet (CIDR) of a network that is still to be made."""
    return course.network.subnet or network.choose_subnet(course.name, observed.used_subnets)


def _volume_steps(course: Course, observed: Observed) -> Iterator[Step]:
    for role in course_volumes(course):
        name = names.volume(course.name, role)
        if observed.volume(name) is None:
            yield EnsureVolume(VolumeSpec(name, frozen(names.labels(course.name, role))))


def course_volumes(course: Course) -> tuple[Role, ...]:
    """The volumes of the course itself."""
    coursework = (Role.COURSEWORK,) if course.coursework else ()
    return (Role.STATE, Role.SECRETS, Role.CERTIFICATES, Role.STATIC, *coursework)


def container_steps(specs: tuple[ContainerSpec, ...], observed: Observed) -> Iterator[Step]:
    """Those that start what is new, changed or not running."""
    for spec in specs:
        state = observed.container(spec.name)
        if state.phase is Phase.MISSING:
            yield StartContainer(spec, "new")
        elif state.spec_hash != spec.spec_hash:
            yield StartContainer(spec, "changed")
        elif state.phase is not Phase.RUNNING:
            yield StartContainer(spec, f"was {state.phase.value}")


def _unguard(course: Course, observed: Observed, hub_image: str) -> Iterator[Step]:
    if observed.of_role(Role.GUARD.value):
        table = network.table_name(course.name)
        yield RunHelper(
            ContainerSpec(
                name=f"{names.container(course.name, Role.HELPER)}-unguard",
                image=hub_image,
                command=(PYTHON, "-m", "firstbell.hub.guard", "--remove", table),
                labels=frozen(names.labels(course.name, Role.HELPER)),
                user="0:0",
                network=HOST_NETWORK,
                capabilities=("NET_ADMIN",),
            ),
            "remove the packet filter's rules",
        )
