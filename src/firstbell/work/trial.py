"""A new version on trial: a whole course beside the real one, on a copy of its databases, for somebody made up.

It has another name, and with it containers, network, addresses and volumes of its own, so that there is nothing of the
real course that it could mean. No edge leads to it: only this machine reaches it. All of it goes when the trial ends.
"""

from __future__ import annotations

import asyncio

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.steps import EnsureNetwork, EnsureVolume, StartContainer, Step
from firstbell.plan import deploy as plan
from firstbell.plan.network import network_spec
from firstbell.plan.services import Inputs, service_specs
from firstbell.plan.upgrade import trial_course, trial_inputs
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script, Visit
from firstbell.rehearsal.visitor import Visitor
from firstbell.work import saved
from firstbell.work.carry_out import act
from firstbell.work.gather import observe_course
from firstbell.work.show import Show, Silent

_CELLS = ("21 * 2", "open('here.txt', 'w').write('x') and sum(range(1000))")
_PATIENCE = 180.0
"""Seconds for each stage of the visit: a machine with a class on it starts a server slowly."""
_LAST_LINES = 12


class TrialFailed(FirstbellError):
    """The new version did not do what it must; the old one runs on, untouched."""


async def try_out(engine: Engine, inputs: Inputs, identity: str, show: Show) -> Visit:
    """Run it, visit it, remove it. Raises TrialFailed with the new hub's last words, or what else stood in the way."""
    course = trial_course(inputs.course)
    await clean_up(engine, inputs.course)
    try:
        url = await _run_beside(engine, inputs, identity, show)
        show.on_progress(Progress("somebody made up enters, and executes a cell"))
        script = Script(url, cells=_CELLS, pause=0.0, files=False, deadline=_PATIENCE)
        visit = await Visitor(script, Person(0), PageFiles()).visit()
        if visit.failed_at:
            raise await _failure(engine, course, f"at “{visit.failed_at}”: {visit.cause}", visit.detail)
    except TrialFailed:
        raise
    except FirstbellError as error:
        raise TrialFailed(
            f"the new version was tried and failed: {error.what}",
            where=error.where,
            evidence=error.evidence,
            next_step="Nothing was changed; the hub that runs goes on.",
        ) from error
    finally:
        await asyncio.shield(clean_up(engine, inputs.course))
    return visit


async def clean_up(engine: Engine, course: Course) -> None:
    """Remove whatever is there of a trial, with its homes, which nobody has ever used."""
    trial = trial_course(course)
    observed = await engine.observe(trial.name)
    guard = observed.container(names.container(trial.name, Role.GUARD))
    for step in plan.plan_down(trial, observed, guard.image, delete_homes=True):
        await act(engine, trial, step, Silent())


async def _run_beside(engine: Engine, inputs: Inputs, identity: str, show: Show) -> str:
    """Start guard, proxy and hub of the trial; where the proxy answers."""
    tried = trial_inputs(inputs)
    course = tried.course
    observed = await observe_course(engine, course)
    made = plan.course_runtime(tried, observed)
    steps: list[Step] = [EnsureNetwork(network_spec(course.name, plan.new_subnet(course, observed)))]
    steps += [EnsureVolume(_volume(course, role)) for role in plan.course_volumes(course)]
    for step in steps:
        await act(engine, course, step, Silent())
    await saved.ask(
        engine,
        inputs.course,
        inputs.hub_image.tag,
        "fill",
        identity,
        "/srv/firstbell/state",
        fills=names.volume(course.name, Role.STATE),
    )
    for spec in service_specs(tried, made):
        if spec.labels[names.LABEL_ROLE] != Role.EDGE:
            await act(engine, course, StartContainer(spec), show)
    return made.proxy_url + course.base_url


def _volume(course: Course, role: Role) -> VolumeSpec:
    return VolumeSpec(names.volume(course.name, role), frozen(names.labels(course.name, role)))


async def _failure(engine: Engine, course: Course, what: str, detail: str) -> TrialFailed:
    hub = names.container(course.name, Role.HUB)
    lines = [line async for line in engine.logs(hub, tail=_LAST_LINES)]
    return TrialFailed(
        f"the new version was tried and failed {what}",
        where=hub,
        evidence=(*detail.splitlines()[:3], *lines),
        next_step="Nothing was changed; the hub that runs goes on.",
    )
