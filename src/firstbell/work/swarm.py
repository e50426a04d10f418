"""`up` and `down` on a Swarm: stage by stage, planned anew where what was done changes what is to be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstbell.engine.cluster import Cluster
from firstbell.engine.waiting import together
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import CLUSTER, LABEL_COURSE, RUNS, Role
from firstbell.model.observed import NodeState, Observed
from firstbell.model.steps import Step
from firstbell.plan import swarm as plan
from firstbell.plan.deploy import servers_subnet
from firstbell.plan.services import Inputs
from firstbell.work.carry_out import act
from firstbell.work.cluster import gather_cluster, pinned_name, refuse_no_manager
from firstbell.work.gather import gather, observe_course
from firstbell.work.show import Show


async def plan_up(engine: Cluster, course: Course) -> tuple[Inputs, tuple[Step, ...]]:
    """Read the folder and the cluster, and say what `up` would do. Raises EngineUnavailable for no manager."""
    await refuse_no_manager(engine)
    observed = await observe_course(engine, course)
    # What the course cannot be on, it is told before anything is read or built for it.
    plan.refuse_small_subnet(course, servers_subnet(course, observed), observed)
    inputs, shared = await together(gather(engine, course), engine.observe(CLUSTER))
    inputs = replace(inputs, cluster=await gather_cluster(engine, course, inputs))
    return inputs, plan.plan_up(inputs, observed, shared)


async def carry_out(engine: Cluster, course: Course, steps: Sequence[Step], show: Show) -> tuple[Step, ...]:
    """Do the steps, stage by stage; those that were done. A plan that has become longer or shorter is shown again."""
    show.on_plan(steps)
    done: list[Step] = []
    planned = len(steps)
    for stage in plan.Stage:
        mine = [step for step in steps if plan.stage(step) is stage]
        for step in mine:
            show.on_step(step, len(done))
            await act(engine, course, step, show)
            show.on_done(step)
            done.append(step)
        if mine and stage is not plan.Stage.COURSE:
            _, steps = await plan_up(engine, course)
            left = [step for step in steps if plan.stage(step) > stage]
            if len(done) + len(left) != planned:
                planned = len(done) + len(left)
                show.on_plan((*done, *left))
    return tuple(done)


async def plan_down(engine: Cluster, course: Course, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """What `down` would do. Raises EngineUnavailable for no manager."""
    await refuse_no_manager(engine)
    observed, everything, shared = await together(
        engine.observe(course.name), engine.observe(""), engine.observe(CLUSTER)
    )
    return plan.plan_down(
        course,
        observed,
        shared,
        await _hub_image(engine, course, observed),
        courses=_courses(everything),
        delete_homes=delete_homes,
    )


def _courses(everything: Observed) -> frozenset[str]:
    """The courses of which anything runs."""
    found = {state.labels.get(LABEL_COURSE, "") for state in everything.containers}
    return frozenset(found - {CLUSTER, RUNS, ""})


async def _hub_image(engine: Cluster, course: Course, observed: Observed) -> str:
    """The image of the guard; where that is gone already, the newest of its kind that the registry was given."""
    guard = observed.container(names.container(course.name, Role.GUARD))
    if guard.image:
        return guard.image
    for image in observed.images_of_role(Role.HUB_IMAGE):
        state = await engine.image(image.ref)
        if state and (pinned := pinned_name(image.ref, state)):
            return pinned
    return ""


async def sweep(engine: Cluster, course: Course) -> None:
    """Configs and secrets that no service uses any more are removed: in the end all of the course's."""
    await engine.sweep(course.name)


async def away(engine: Cluster) -> tuple[NodeState, ...]:
    """Nodes that keep what they have of a course, since they do not answer."""
    return plan.away(await engine.observe(CLUSTER))
