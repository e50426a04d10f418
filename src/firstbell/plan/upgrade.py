"""What `upgrade` and `rollback` have to do, and when `up` must not replace a hub. Pure.

An upgrade saves the hub's databases, tries the new version on a copy, and only then lets it take the old one's place;
the old containers stay, stopped, until the next upgrade. Whatever exists decides where a run that was cut goes on:

| hub | set aside | a run of `upgrade` |
|---|---|---|
| of another version, runs | | does all of it |
| of another version, stopped; or none | nothing; or a hub | lets the old one run again, then does all of it |
| of this version | | goes on with the parts that are still the old ones, and sees whether the hub answers |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import ContainerSpec, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.course import Access, Course, Homes
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Observed, Phase
from firstbell.model.runtime import COURSEWORK_DIR, SAVED_DIR, STATE_DIR
from firstbell.model.steps import EnsureVolume, StartContainer, Step, StopContainer
from firstbell.model.upgrade_steps import BackUpFirst, BringBack, PruneSaved, PutBack, SaveState, SetAside, TryOut
from firstbell.plan.deploy import container_steps, course_runtime, preparations
from firstbell.plan.network import table_name
from firstbell.plan.services import PYTHON, Inputs, service_specs

KEPT = 3
"""So many upgrades back the databases are kept."""
_ROLES = (Role.HUB, Role.GUARD, Role.PROXY, Role.EDGE)
"""In the order in which they change. While there is no hub for some seconds the proxy keeps everybody's way; when the
proxy changes a hub is there that writes all ways anew within a second. A hub that fails has cut nobody's connection."""
_OWN = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
_STOP = 20


@dataclass(frozen=True, slots=True)
class Saved:
    """What an upgrade has saved; see `hub/saved.py`."""

    identity: str
    kind: str
    version: str
    size: int = 0
    """Bytes."""


def hub_of(course: Course, observed: Observed) -> ContainerState:
    """The course's hub, as it is."""
    return observed.container(names.container(course.name, Role.HUB))


def hub_aside(course: Course, observed: Observed) -> ContainerState:
    """The hub that was set aside."""
    return observed.container(names.aside(names.container(course.name, Role.HUB)))


def refuse_other_version(course: Course, observed: Observed, version: str) -> None:
    """Keep `up` from replacing a hub of another version without a trial. Raises FirstbellError that says what to do."""
    hub, before = hub_of(course, observed), hub_aside(course, observed)
    if hub.phase is Phase.MISSING and before.phase is not Phase.MISSING:
        raise FirstbellError(
            f"an upgrade of {course.name} was cut short",
            where=before.name,
            next_step="Go on with it: firstbell upgrade; or go back: firstbell rollback",
        )
    if hub.phase is Phase.MISSING or hub.version in {"", version}:
        return
    if as_numbers(hub.version) > as_numbers(version):
        raise _older(hub, version)
    raise FirstbellError(
        f"{course.name} runs Firstbell {hub.version}, and this is {version}",
        where=hub.name,
        next_step="Run it to try the new version on a copy first: firstbell upgrade",
    )


def refuse_upgrade(course: Course, observed: Observed, version: str) -> None:
    """Raises FirstbellError where there is nothing that could be upgraded, or this is the older version."""
    hub = hub_of(course, observed)
    if course.engine.kind == "swarm":
        raise FirstbellError(
            "an upgrade on trial is for one machine; on a Swarm the new version takes the old one's place at once",
            where="[engine] kind",
            next_step="Back the hub's state up, then: firstbell up",
        )
    if hub.phase is Phase.MISSING and hub_aside(course, observed).phase is Phase.MISSING:
        raise FirstbellError(
            f"{course.name} does not run, so there is nothing to be upgraded while people work",
            where=hub.name,
            next_step="Start it with this version: firstbell up",
        )
    if as_numbers(hub.version) > as_numbers(version):
        raise _older(hub, version)


def _older(hub: ContainerState, version: str) -> FirstbellError:
    return FirstbellError(
        f"the hub is of Firstbell {hub.version}, which is newer than this one, {version}",
        where=hub.name,
        next_step=f"Use Firstbell {hub.version} or newer; or go back: firstbell rollback",
    )


def as_numbers(version: str) -> tuple[int, ...]:
    """A version for comparing: 1.10 is after 1.9."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])))


def plan_upgrade(inputs: Inputs, observed: Observed, version: str, identity: str, backup: str = "") -> tuple[Step, ...]:
    """The steps of an upgrade to the version that plans it; none if all is of this version already.

    `identity` is under what to save, `backup` where the course's backups are, if it has any.
    """
    course = inputs.course
    repairs = tuple(_repairs(course, observed, inputs.hub_image.tag))
    found = replace(observed, containers=_repaired(observed, repairs))
    specs = service_specs(inputs, course_runtime(inputs, found))
    changes = [step for step in container_steps(specs, found) if isinstance(step, StartContainer)]
    starts = tuple(sorted(changes, key=lambda step: _ROLES.index(Role(step.spec.labels[names.LABEL_ROLE]))))
    before = preparations(inputs, found, starts)
    saved_volume = names.volume(course.name, Role.SAVED)
    hub = hub_of(course, found)
    is_switched = hub.image == inputs.ref(inputs.hub_image.tag)
    volume = () if observed.volume(saved_volume) else (EnsureVolume(saved_spec(course)),)
    first: tuple[Step, ...] = ()
    if not is_switched:
        backing = (BackUpFirst(backup),) if backup else ()
        first = (*volume, SaveState(identity, "before", hub.version), *backing, TryOut(identity, version))
    if not (first or starts):
        return repairs
    last = (PruneSaved(KEPT),) if first else ()
    switch = tuple(_switch(starts, found, SaveState(identity, "before", hub.version), is_switched=is_switched))
    return (*repairs, *before, *first, *switch, *last)


def _repairs(course: Course, observed: Observed, image: str) -> Iterator[BringBack]:
    """Let run again what a run that was cut has stopped, unless the new hub runs: then one goes on from there."""
    if hub_of(course, observed).image == image:
        return
    for role in _ROLES:
        part = observed.container(names.container(course.name, role))
        before = observed.container(names.aside(part.name))
        is_new = role is not Role.HUB and part.image == image
        if before.phase is not Phase.MISSING and (part.phase is Phase.MISSING or is_new):
            yield BringBack(_named(course, role), before.name, must_answer=False)
        elif part.phase is Phase.EXITED:
            yield BringBack(_named(course, role), part.name, must_answer=False)


def _repaired(observed: Observed, repairs: tuple[BringBack, ...]) -> tuple[ContainerState, ...]:
    """The containers as they are once those have run."""
    back = {step.aside: step.spec.name for step in repairs}
    stay = (state for state in observed.containers if state.name in back or state.name not in back.values())
    return tuple(
        replace(state, name=back[state.name], phase=Phase.RUNNING) if state.name in back else state for state in stay
    )


def _switch(
    starts: tuple[StartContainer, ...], found: Observed, save: SaveState, *, is_switched: bool
) -> Iterator[Step]:
    """Each old part stops and is kept, each new one starts in its place; between two hubs everything is saved anew."""
    if not is_switched:
        # Of an upgrade before this one: what goes back from here on must be what this one has set aside.
        yield from (StopContainer(state.name, "of the version before", grace=0) for state in found.asides)
    for step in starts:
        old = found.container(step.spec.name)
        is_hub = step.spec.labels[names.LABEL_ROLE] == Role.HUB
        if old.phase is not Phase.MISSING and old.image != step.spec.image:
            yield SetAside(step.spec.name, names.aside(step.spec.name), step.spec.stop_grace)
        if is_hub and not is_switched:
            yield save
        yield step


def plan_rollback(course: Course, observed: Observed, saved: tuple[Saved, ...], identity: str) -> tuple[Step, ...]:
    """The steps back to what was set aside. Raises FirstbellError where there is nothing to go back to.

    `identity` names what is saved of the state as it is now.
    """
    asides = [role for role in _ROLES if observed.container(names.aside(names.container(course.name, role))).image]
    if not asides:
        raise FirstbellError(
            f"there is no earlier version of {course.name} to go back to",
            next_step="An upgrade keeps one until the next, or until `down`. What runs now: firstbell status",
        )
    hub, before = hub_of(course, observed), hub_aside(course, observed)
    save = SaveState(identity, "after", hub.version)
    point = saved_for(before, saved)
    steps: list[Step] = [save] if Role.HUB in asides and hub.image else []
    # A hub does not begin without a proxy: what a cut upgrade has stopped comes first.
    runs = {role for role in asides if observed.container(names.container(course.name, role)).phase is Phase.RUNNING}
    for role in sorted(asides, key=lambda role: role is Role.HUB or role in runs):
        if role is Role.HUB:
            # Saved once more, now that nobody writes; a full disk has been told before anything was stopped.
            steps += [StopContainer(hub.name, "the newer", _STOP), save] if hub.image else []
            steps += [PutBack(point.identity)] if point else []
        spec = _named(course, role)
        steps.append(BringBack(spec, names.aside(spec.name)))
    return tuple(steps)


def newest_image(course: Course, observed: Observed) -> str:
    """The image of the newest Firstbell that the course has a part of: it knows what newer ones have saved."""
    named = [names.container(course.name, role) for role in _ROLES]
    parts = [observed.container(name) for name in (*map(names.aside, named), *named)]
    return max(enumerate(parts), key=lambda one: (bool(one[1].image), as_numbers(one[1].version), one[0]))[1].image


def saved_for(before: ContainerState, saved: tuple[Saved, ...]) -> Saved | None:
    """What was saved of that hub, the newest; None where nothing was."""
    found = [point for point in saved if point.kind == "before" and point.version == before.version]
    return max(found, key=lambda point: point.identity, default=None)


def _named(course: Course, role: Role) -> ContainerSpec:
    """A part of the course by its name alone, enough to ask it whether it answers."""
    command: tuple[str, ...] = ()
    if role is Role.GUARD:
        command = (PYTHON, "-m", "firstbell.hub.guard", table_name(course.name))
    return ContainerSpec(
        names.container(course.name, role), "", command, frozen(names.labels(course.name, role)), stop_grace=_STOP
    )


# what was saved


def saved_spec(course: Course) -> VolumeSpec:
    """The volume of what upgrades save."""
    return VolumeSpec(names.volume(course.name, Role.SAVED), frozen(names.labels(course.name, Role.SAVED)))


def saved_helper(course: Course, image: str, words: tuple[str, ...], *, fills: str = "") -> ContainerSpec:
    """A container that asks `hub/saved.py`, which only what it saves into and puts back into is shown to be written.

    `fills` is the volume of a trial's state: then it sees nothing of the course's own beside what was saved.
    """
    saved = Mount(MountKind.VOLUME, names.volume(course.name, Role.SAVED), SAVED_DIR, read_only=bool(fills))
    state = Mount(MountKind.VOLUME, fills or names.volume(course.name, Role.STATE), STATE_DIR)
    coursework = Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), COURSEWORK_DIR)
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER)}-saved",
        image=image,
        command=(PYTHON, "-m", "firstbell.hub.saved", *words),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        user="0:0",
        mounts=(saved, state, *([coursework] if course.coursework and not fills else [])),
        capabilities=_OWN,
    )


# the trial


def trial_course(course: Course) -> Course:
    """The course as it is tried: another name, so that nothing of the real one is ever meant; an open door behind which
    nobody comes; homes of its own. No bells, no coursework, no backups: it must do nothing to anybody.
    """
    return course.model_copy(
        update={
            "name": names.trial(course.name),
            "network": course.network.model_copy(update={"subnet": ""}),
            "url": f"http://127.0.0.1{course.base_url}",
            "tls": "auto",
            "access": Access(login="seminar", capacity=course.access.capacity, standby=0),
            "homes": Homes(),
            "database": None,
            "coursework": None,
            "backup": None,
            "bells": (),
            "idle_rules": (),
        }
    )


def trial_inputs(inputs: Inputs) -> Inputs:
    """What the trial is planned from; all images are there by then."""
    course = trial_course(inputs.course)
    return replace(
        inputs,
        course=course,
        roster_csv=b"",
        cert=b"",
        key=b"",
        static_missing=False,
        base_missing=False,
        course_bases_missing=(),
        course_image_missing=False,
        hub_image_missing=False,
        sidecar_image_missing=False,
    )
