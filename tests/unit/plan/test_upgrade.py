"""What `upgrade` and `rollback` plan, and when `up` refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstbell.config.wire import from_wire, to_wire
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, NetworkState, Observed, Phase, VolumeState
from firstbell.model.steps import BuildImage, CheckImage, EnsureVolume, StartContainer, StopContainer
from firstbell.model.upgrade_steps import BackUpFirst, BringBack, PruneSaved, PutBack, SaveState, SetAside, TryOut
from firstbell.plan.deploy import course_runtime
from firstbell.plan.services import Inputs, service_specs
from firstbell.plan.upgrade import (
    Saved,
    as_numbers,
    newest_image,
    plan_rollback,
    plan_upgrade,
    refuse_other_version,
    refuse_upgrade,
    saved_helper,
    trial_course,
    trial_inputs,
)

OLD, NEW = "firstbell/hub:old", "firstbell/hub:new"
ROLES = (Role.GUARD, Role.PROXY, Role.HUB, Role.EDGE)
ID = "20260101T000000Z"
COURSE = Course.model_validate(
    {"name": "c", "server": {"image": "i"}, "url": "https://x.example/a", "network": {"subnet": "10.1.0.0/20"}}
)


@pytest.fixture
def inputs() -> Inputs:
    return Inputs(course=COURSE, hub_image=BuildSpec(NEW, "FROM x"), hub_image_missing=True)


def part(role: Role, version: str = "1", *, aside: bool = False, phase: Phase = Phase.RUNNING) -> ContainerState:
    """A part of version 1 or 2 as `up` made it."""
    made = Inputs(course=COURSE, hub_image=BuildSpec(OLD if version == "1" else NEW, "FROM x"))
    spec = next(
        s for s in service_specs(made, course_runtime(made, network())) if s.labels[names.LABEL_ROLE] == role.value
    )
    labels = frozen({**spec.labels, names.LABEL_SPEC: spec.spec_hash, names.LABEL_VERSION: version})
    name = names.aside(spec.name) if aside else spec.name
    return ContainerState(name, Phase.EXITED if aside else phase, f"{name}-{version}", spec.image, labels)


def network(*containers: ContainerState) -> Observed:
    volumes = (Role.STATE, Role.SECRETS, Role.CERTIFICATES, Role.STATIC, Role.SAVED)
    return Observed(
        "c",
        containers=containers,
        networks=(NetworkState(names.network("c"), "10.1.0.1", "10.1.0.0/20"),),
        volumes=tuple(VolumeState(names.volume("c", role), frozen(names.labels("c", role))) for role in volumes),
    )


def old() -> Observed:
    return network(*map(part, ROLES))


def said(steps: tuple[object, ...]) -> list[str]:
    """Steps in short: `aside hub`, `start hub`."""
    words = {SetAside: "aside", StartContainer: "start", BringBack: "back", StopContainer: "stop"}
    found = []
    for step in steps:
        name = getattr(getattr(step, "spec", step), "name", "") if type(step) in words else ""
        found.append(f"{words[type(step)]} {name.removeprefix('firstbell-c-')}" if name else type(step).__name__)
    return found


def test_all_of_it(inputs: Inputs):
    """Saved and tried before anything stops; each part is kept as the new one starts; saved again between two hubs."""
    assert said(plan_upgrade(inputs, old(), "2", ID)) == [
        "BuildImage", "CheckImage", "SaveState", "TryOut",
        "aside hub", "SaveState", "start hub", "aside guard", "start guard", "aside proxy", "start proxy",
        "aside edge", "start edge", "PruneSaved",
    ]  # fmt: skip
    steps = plan_upgrade(inputs, old(), "2", ID)
    assert [step for step in steps if isinstance(step, SaveState)] == [SaveState(ID, "before", "1")] * 2


def test_the_first_upgrade_makes_its_volume_and_backs_up(inputs: Inputs):
    """Where nothing was ever saved there is a volume first; the course's backup storage gets it before the trial."""
    observed = old()
    observed = replace(observed, volumes=tuple(v for v in observed.volumes if v.role != Role.SAVED))
    steps = plan_upgrade(inputs, observed, "2", ID, backup="/srv/backup")
    assert [type(step) for step in steps[:6]] == [BuildImage, CheckImage, EnsureVolume, SaveState, BackUpFirst, TryOut]


def test_up_to_date(inputs: Inputs):
    """Nothing is done to a course of this version, also with the one before still kept."""
    observed = network(*(part(role, "2") for role in ROLES), *(part(role, aside=True) for role in ROLES))
    assert plan_upgrade(replace(inputs, hub_image_missing=False), observed, "2", ID) == ()


def test_what_was_kept_of_an_earlier_one_goes_before_the_switch(inputs: Inputs):
    """Going back never mixes two versions: what an earlier upgrade has kept is removed as the switch begins."""
    observed = network(*map(part, ROLES), *(part(role, "0", aside=True) for role in ROLES))
    done = said(plan_upgrade(inputs, observed, "2", ID))
    assert done[4:8] == ["stop guard-before", "stop proxy-before", "stop hub-before", "stop edge-before"]
    assert done[3] == "TryOut" and done[8] == "aside hub"


@pytest.mark.parametrize(
    ("observed", "first"),
    [
        ((part(Role.GUARD), part(Role.PROXY), part(Role.HUB, aside=True), part(Role.EDGE)), ["back hub"]),
        ((part(Role.GUARD, aside=True), *map(part, ROLES[1:])), ["back guard"]),
        (
            (part(Role.GUARD, "2"), part(Role.GUARD, aside=True), part(Role.PROXY, aside=True), *map(part, ROLES[2:])),
            ["back guard", "back proxy"],
        ),
        ((part(Role.GUARD), part(Role.PROXY), part(Role.HUB, phase=Phase.EXITED), part(Role.EDGE)), ["back hub"]),
    ],
)
def test_cut_before_the_new_hub_ran(inputs: Inputs, observed: tuple[ContainerState, ...], first: list[str]):
    """The old parts run again, then all of it is done as if nothing had been."""
    done = said(plan_upgrade(inputs, network(*observed), "2", ID))
    whole = said(plan_upgrade(inputs, old(), "2", ID))
    assert (done[: len(first)], done[len(first) :]) == (first, whole)


def test_an_exited_hub_is_started_and_not_replaced_by_an_older_one(inputs: Inputs):
    """A hub that has only stopped runs again itself, though one from before it is still kept."""
    observed = network(part(Role.HUB, phase=Phase.EXITED), part(Role.HUB, "0", aside=True))
    back = plan_upgrade(inputs, observed, "2", ID)[0]
    assert isinstance(back, BringBack) and back.aside == back.spec.name == names.container("c", Role.HUB)


def test_cut_after_the_new_hub_ran(inputs: Inputs):
    """What is still of the old version is done; nothing is saved or tried again, and the old hub stays kept."""
    observed = network(
        part(Role.GUARD, "2"), part(Role.PROXY, "2"), part(Role.HUB, "2"), part(Role.EDGE),
        *(part(role, aside=True) for role in ROLES[:3]),
    )  # fmt: skip
    assert said(plan_upgrade(inputs, observed, "2", ID))[-2:] == ["aside edge", "start edge"]
    assert not {"TryOut", "SaveState", "stop hub-before"} & set(said(plan_upgrade(inputs, observed, "2", ID)))


def test_going_back():
    """What is written is saved before and after the newer hub stops; the old one runs with what it can read."""
    observed = network(*(part(role, "2") for role in ROLES), *(part(role, aside=True) for role in ROLES))
    saved = (Saved("1", "before", "1"), Saved("2", "before", "1"), Saved("3", "after", "1"), Saved("4", "before", "7"))
    steps = plan_rollback(COURSE, observed, saved, "x-after")
    assert said(steps) == [
        "SaveState", "stop hub", "SaveState", "PutBack", "back hub", "back guard", "back proxy", "back edge",
    ]  # fmt: skip
    assert [step.identity for step in steps if isinstance(step, PutBack)] == ["2"]


def test_going_back_goes_on():
    """Cut after the newer hub was stopped it goes on, and cut after the old one ran only the rest comes back."""
    rest = [part(role, "2") for role in (Role.GUARD, Role.PROXY, Role.EDGE)]
    aside = [part(role, aside=True) for role in (Role.GUARD, Role.PROXY, Role.EDGE)]
    saved = (Saved("1", "before", "1"),)
    stopped = network(*rest, *aside, part(Role.HUB, aside=True))
    assert said(plan_rollback(COURSE, stopped, saved, "x")) == [
        "PutBack", "back hub", "back guard", "back proxy", "back edge",
    ]  # fmt: skip
    assert newest_image(COURSE, stopped) == NEW
    back = network(*rest, *aside, part(Role.HUB))
    assert said(plan_rollback(COURSE, back, saved, "x")) == ["back guard", "back proxy", "back edge"]


def test_a_hub_that_comes_back_finds_a_proxy():
    """Where a cut upgrade has stopped the proxy, or hub and proxy, the proxy is brought back before the hub."""
    aside = [part(role, aside=True) for role in (Role.GUARD, Role.PROXY, Role.HUB)]
    cut = network(part(Role.GUARD, "2"), part(Role.HUB, "2"), part(Role.EDGE), *aside)
    assert said(plan_rollback(COURSE, cut, (), "x")) == [
        "SaveState", "back proxy", "stop hub", "SaveState", "back hub", "back guard",
    ]  # fmt: skip
    gone = network(part(Role.GUARD, "2"), part(Role.EDGE), *aside)
    assert said(plan_rollback(COURSE, gone, (), "x")) == ["back proxy", "back hub", "back guard"]


def test_nothing_to_go_back_to():
    """A course that was never upgraded says so."""
    with pytest.raises(FirstbellError, match="no earlier version"):
        plan_rollback(COURSE, old(), (), "x")


def test_up_and_other_versions():
    """`up` leaves a hub of another version alone and says what to type; of none, or the same, it says nothing."""
    refuse_other_version(COURSE, old(), "1")
    refuse_other_version(COURSE, network(), "2")
    with pytest.raises(FirstbellError) as newer:
        refuse_other_version(COURSE, old(), "2")
    assert "firstbell upgrade" in newer.value.next_step
    with pytest.raises(FirstbellError) as older:
        refuse_other_version(COURSE, old(), "0.9")
    assert "firstbell rollback" in older.value.next_step
    with pytest.raises(FirstbellError, match="cut short"):
        refuse_other_version(COURSE, network(part(Role.HUB, aside=True)), "2")
    assert as_numbers("1.10.0") > as_numbers("1.9.2+local.7")


def test_when_there_is_nothing_to_upgrade():
    """A course that is down, one on a Swarm and one of a newer version are refused with what to do."""
    with pytest.raises(FirstbellError, match="does not run"):
        refuse_upgrade(COURSE, network(), "2")
    with pytest.raises(FirstbellError, match="newer"):
        refuse_upgrade(COURSE, old(), "0.9")
    swarm = COURSE.model_copy(update={"engine": COURSE.engine.model_copy(update={"kind": "swarm"})})
    with pytest.raises(FirstbellError, match="Swarm"):
        refuse_upgrade(swarm, old(), "2")


def test_a_trial_means_nothing_of_the_course(inputs: Inputs):
    """Nothing of a trial has a name, volume or address of the real course, and its hub accepts its course file."""
    course = Course.model_validate(
        {
            "name": "a-name-of-thirty-two-letters-abc",
            "server": {"image": "i"},
            "homes": {"store": "/srv/homes"},
            "bell": [{"at": "08:00", "days": ["mon"]}],
            "coursework": {},
            "access": {"login": "roster"},
        }
    )
    tried = trial_inputs(replace(inputs, course=course, roster_csv=b"x"))
    assert from_wire(*to_wire(tried.course)) == tried.course
    assert tried.course.bells == () and tried.course.coursework is None and tried.course.homes.store == "volume"
    real = {"firstbell-a-name-of-thirty-two-letters-abc"}
    for spec in service_specs(tried, course_runtime(tried, Observed(tried.course.name))):
        mounted = [mount.source for mount in spec.mounts if mount.source != tried.socket]
        assert not [name for name in (spec.name, *mounted) if name.startswith(tuple(real))]
    filler = saved_helper(course, "i", ("fill",), fills="other")
    assert [(mount.source, mount.read_only) for mount in filler.mounts] == [
        (names.volume(course.name, Role.SAVED), True), ("other", False),
    ]  # fmt: skip


def test_the_last_ones_are_kept(inputs: Inputs):
    """What is saved does not grow for ever."""
    assert plan_upgrade(inputs, old(), "2", ID)[-1] == PruneSaved(3)
    assert trial_course(COURSE).network.subnet == ""
