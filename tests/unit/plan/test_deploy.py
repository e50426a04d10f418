"""What `up` and `down` plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, NetworkState, Observed, Phase, VolumeState
from firstbell.model.steps import (
    BuildImage,
    CheckImage,
    EnsureNetwork,
    EnsureVolume,
    LayOutFiles,
    PullImage,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from firstbell.plan.deploy import course_runtime, plan_down, plan_up
from firstbell.plan.services import Inputs, service_specs


@pytest.fixture
def inputs() -> Inputs:
    course = Course.model_validate({"name": "c", "server": {"project": "/p"}, "access": {"passcode": None}})
    return Inputs(
        course=course,
        hub_image=BuildSpec("firstbell/hub:1", "FROM x"),
        course_image=BuildSpec("firstbell/c:1", "FROM x"),
        base_missing=True,
        course_image_missing=True,
        hub_image_missing=True,
        has_project=True,
    )


def built(inputs: Inputs) -> Inputs:
    return replace(inputs, base_missing=False, course_image_missing=False, hub_image_missing=False)


def running(inputs: Inputs, **changed: Phase) -> Observed:
    """The engine after `up`."""
    network = NetworkState(names.network("c"), subnet="172.31.0.0/20")
    made = course_runtime(inputs, Observed("c", networks=(network,)))
    specs = service_specs(inputs, made)
    return Observed(
        "c",
        containers=tuple(
            ContainerState(
                s.name,
                changed.get(s.labels[names.LABEL_ROLE], Phase.RUNNING),
                labels=frozen({**s.labels, names.LABEL_SPEC: s.spec_hash}),
            )
            for s in specs
        ),
        volumes=tuple(
            VolumeState(names.volume("c", role), frozen(names.labels("c", role)))
            for role in (Role.STATE, Role.SECRETS, Role.CERTIFICATES, Role.STATIC)
        ),
        networks=(network,),
        used_subnets=("172.31.0.0/20",),
    )


def test_fresh_machine_gets_everything_in_order(inputs):
    """On a fresh machine images come first, then network, volumes and page files, then guard, proxy, hub and edge."""
    steps = plan_up(replace(inputs, static_missing=True), Observed("c"))
    kinds = [type(s) for s in steps]
    assert kinds == [
        PullImage,
        BuildImage,
        BuildImage,
        CheckImage,
        EnsureNetwork,
        *[EnsureVolume] * 4,
        LayOutFiles,
        *[StartContainer] * 4,
    ]
    assert [s.spec.labels[names.LABEL_ROLE] for s in steps if isinstance(s, StartContainer)] == [
        "guard", "proxy", "hub", "edge",
    ]  # fmt: skip


def test_running_course_needs_nothing(inputs):
    """A course that is as its file says needs no step."""
    assert plan_up(built(inputs), running(inputs)) == ()


def test_changed_project_replaces_the_hub_alone(inputs):
    """A new course image replaces the hub, which must know it; proxy, edge and guard stay."""
    newer = replace(built(inputs), course_image=BuildSpec("firstbell/c:2", "FROM y"))
    steps = plan_up(newer, running(inputs))
    assert [str(s) for s in steps] == ["check firstbell/c:2", "start firstbell-c-hub (changed)"]


def test_new_page_files_replace_nothing(inputs):
    """An image that changed under its name has its page files laid out; no part of the course is replaced for it."""
    steps = plan_up(replace(built(inputs), static_missing=True), running(inputs))
    assert [str(s) for s in steps] == ["lay out the page files of firstbell/c:1"]


def test_changed_roster_replaces_nothing(inputs):
    """A changed roster is pushed, not deployed."""
    assert plan_up(replace(built(inputs), roster_csv=b"username\nada\n"), running(inputs)) == ()


def test_stopped_part_is_started_again(inputs):
    """A part that was stopped by hand is started again, and no other."""
    steps = plan_up(built(inputs), running(inputs, proxy=Phase.EXITED))
    assert [str(s) for s in steps] == ["check firstbell/c:1", "start firstbell-c-proxy (was exited)"]


def test_base_is_not_fetched_for_nothing(inputs):
    """The base image is only fetched when something is built on it."""
    steps = plan_up(replace(built(inputs), base_missing=True), Observed("c"))
    assert not [s for s in steps if isinstance(s, PullImage)]


def test_down_keeps_homes(inputs):
    """`down` keeps homes and who they belong to, and stops people's servers before the guard goes."""
    observed = running(inputs)
    server = ContainerState("s", Phase.RUNNING, labels=frozen(names.labels("c", Role.SERVER, "ada")))
    home = VolumeState("h", frozen(names.labels("c", Role.HOME, "ada")))
    everything = replace(observed, containers=(*observed.containers, server), volumes=(*observed.volumes, home))
    steps = plan_down(inputs.course, everything, "firstbell/hub:1")
    assert [s.name for s in steps if isinstance(s, RemoveVolume)] == [
        "firstbell-c-secrets",
        "firstbell-c-static",
    ]
    stops = [s.why for s in steps if isinstance(s, StopContainer)]
    assert stops == ["edge", "hub", "proxy", "server", "guard"]
    assert RemoveVolume("h", "ada") in plan_down(inputs.course, everything, "firstbell/hub:1", delete_homes=True)


def test_nothing_runs_as_root_but_the_guard(inputs):
    """Of the course's own parts only the guard is root, with NET_ADMIN and no other capability."""
    specs = service_specs(inputs, course_runtime(inputs, Observed("c")))
    roots = {s.labels[names.LABEL_ROLE]: s.capabilities for s in specs if s.user.startswith("0:")}
    assert roots == {"guard": ("NET_ADMIN",)}


def test_privileged_port_costs_one_capability(inputs):
    """An edge on port 443 may bind it, and nothing else."""
    course = inputs.course.model_copy(update={"url": "https://jupyter.example.org"})
    specs = service_specs(replace(inputs, course=course), course_runtime(inputs, Observed("c")))
    edge = next(s for s in specs if s.labels[names.LABEL_ROLE] == "edge")
    assert edge.capabilities == ("NET_BIND_SERVICE",)


def test_no_secret_where_inspect_shows_it(inputs):
    """Secrets travel in files, never in a container's environment, command or labels."""
    course = Course.model_validate({"name": "c", "server": {"project": "/p"}})
    from firstbell.model.secret import Secret

    secret = Secret("env:X", "swordfish")
    course = course.model_copy(update={"access": course.access.model_copy(update={"passcode": secret})})
    for spec in service_specs(replace(inputs, course=course), course_runtime(inputs, Observed("c"))):
        assert "swordfish" not in repr((spec.env, spec.command, spec.labels, spec.name))


def test_an_application_needs_a_side_cars_image(inputs):
    """With a port the side-car's image is built, the hub is told of it, and nobody asks for a Jupyter in the image."""
    course = Course.model_validate({"name": "c", "server": {"image": "rocker:1", "port": 8787}})
    inputs = replace(
        built(inputs), course=course, course_image=None, sidecar_image=BuildSpec("firstbell/sidecar:1", "FROM x")
    )
    missing = replace(inputs, base_missing=True, sidecar_image_missing=True)
    steps = plan_up(missing, Observed("c"))
    assert [step.spec.tag for step in steps if isinstance(step, BuildImage)] == ["firstbell/sidecar:1"]
    assert any(isinstance(step, PullImage) and step.ref == course.server.base for step in steps)
    assert not any(isinstance(step, CheckImage) for step in steps)
    assert course_runtime(inputs, Observed("c")).sidecar_image == "firstbell/sidecar:1"
    assert not any(isinstance(step, BuildImage) for step in plan_up(inputs, Observed("c")))


def test_down_ends_applications_before_their_side_cars():
    """An application has its network from its side-car."""
    containers = tuple(
        ContainerState(f"c-{role}", Phase.RUNNING, labels=frozen(names.labels("c", role, "ada")))
        for role in (Role.SERVER, Role.APP)
    )
    course = Course.model_validate({"name": "c", "server": {"image": "rocker:1", "port": 8787}})
    steps = plan_down(course, Observed("c", containers=containers), "firstbell/hub:1")
    assert [step.name for step in steps if isinstance(step, StopContainer)] == ["c-app", "c-server"]


def test_down_ends_what_waits_for_the_next_visitor_and_no_other_courses():
    """It is no server yet, but it is the course's; a course whose name goes on like one of its names is another."""
    labels = frozen(names.labels("c", Role.SERVER, "seat-001"))
    waits = ContainerState(names.standby("c", "seat-001"), Phase.RUNNING, labels=labels)
    other = frozen(names.labels("c-standby", Role.SERVER, "ada"))
    server = ContainerState(names.container("c-standby", Role.SERVER, "ada"), Phase.RUNNING, labels=other)
    course = Course.model_validate({"name": "c", "server": {"image": "lab:1"}})
    steps = plan_down(course, Observed("c", containers=(waits,)), "firstbell/hub:1")
    assert [step.name for step in steps if isinstance(step, StopContainer)] == [waits.name]
    assert (waits.is_standby, server.is_standby) == (True, False)


def test_coursework_has_a_volume_that_stays(inputs):
    """Only a course with assignments has it, only the hub mounts it, and `down` keeps it with the homes."""
    name = names.volume("c", Role.COURSEWORK)
    assert name not in str(plan_up(inputs, Observed("c")))
    taught = replace(inputs, course=Course.model_validate({"name": "c", "server": {"image": "i"}, "coursework": {}}))
    steps = plan_up(taught, Observed("c"))
    assert name in [step.spec.name for step in steps if isinstance(step, EnsureVolume)]
    mounting = [step.spec for step in steps if isinstance(step, StartContainer) and name in str(step.spec.mounts)]
    assert [spec.labels[names.LABEL_ROLE] for spec in mounting] == ["hub"]
    there = Observed("c", volumes=(VolumeState(name, frozen(names.labels("c", Role.COURSEWORK))),))
    assert not plan_down(taught.course, there, "hub:1")
    [removed] = plan_down(taught.course, there, "hub:1", delete_homes=True)
    assert isinstance(removed, RemoveVolume)
