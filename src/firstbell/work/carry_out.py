"""Does the steps of `up` and `down`, one after another."""

from __future__ import annotations

from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.engine.swarm_cluster import NodeAway
from firstbell.engine.waiting import until
from firstbell.errors import StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.observed import Phase
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
from firstbell.plan.services import probe
from firstbell.work import build, cluster, static_files
from firstbell.work.show import Show

DEADLINE = 90.0
"""Seconds a part of the course may take to answer before `up` gives up; a hub takes about three."""

_ENDS = 3
"""Containers of one part that may end on a cluster before it has failed."""


async def act(engine: Engine, course: Course, step: Step, show: Show) -> None:
    """Do one step. Raises a FirstbellError that says what stood in the way."""
    match step:
        case PullImage(ref=ref):
            await build.get_base(engine, ref, course.network, show.on_progress)
        case BuildImage(spec=spec):
            await build.build(engine, spec, show.on_progress)
        case CheckImage(ref=ref):
            await build.check_image(engine, ref, course.name)
        case EnsureNetwork(spec=spec):
            await engine.ensure_network(spec)
        case EnsureVolume(spec=spec):
            await engine.ensure_volume(spec)
        case LayOutFiles():
            await static_files.lay_out(engine, course, step, show.on_progress)
        case StartContainer(spec=spec) if spec.every_node:
            await cluster.start_everywhere(cluster.as_cluster(engine), spec, show.on_progress)
            await settled(engine, course, spec, show)
        case StartContainer(spec=spec):
            await engine.start(spec)
            await settled(engine, course, spec, show)
        case StopContainer(name=name, grace=grace):
            try:
                await engine.stop(name, grace)
            except NodeAway as error:  # the Swarm itself has ended it: its node does so once it hears of that
                show.on_progress(Progress(f"{error.what}; it ends there when the node is back"))
        case RunHelper(spec=spec, what=what):
            result = await engine.run(spec)
            if result.exit_code != 0:
                raise StartFailed(f"could not {what}", where=spec.name, evidence=result.lines)
        case RemoveNetwork(name=name):
            await engine.remove_network(name)
        case RemoveVolume(name=name):
            await cluster.remove_volume(engine, name)
        case _:
            await _act_on_cluster(cluster.as_cluster(engine), step, show)


async def _act_on_cluster(engine: Cluster, step: Step, show: Show) -> None:
    match step:
        case PrepareNode():
            await cluster.prepare_node(engine, step)
        case MakeKeys():
            await cluster.make_keys(engine, step)
        case PushImage():
            await cluster.push_image(engine, step, show.on_progress)
        case SpreadImage():
            await cluster.spread(engine, step, show.on_progress)
        case _:
            raise TypeError(f"{type(step).__name__} is no step of up or down")


async def settled(engine: Engine, course: Course, spec: ContainerSpec, show: Show) -> None:
    """Wait until what was started does its work; a container that ends instead is reported with its log."""
    question = probe(spec)
    if not question:
        return
    name = spec.name
    show.on_progress(Progress(f"waiting for {name}"))

    ends: set[str] = set()

    async def answers() -> bool:
        if spec.every_node:
            results = await cluster.as_cluster(engine).exec_everywhere(name, question)
            return bool(results) and all(result.exit_code == 0 for result in results.values())
        state = await engine.state(name)
        if state.phase is Phase.RUNNING:
            return (await engine.exec(name, question)).exit_code == 0
        if course.engine.kind != "swarm" or len(ends | {state.id}) > _ENDS:
            raise StartFailed(f"{name} ended at once (exit code {state.exit_code})")
        if state.phase is Phase.EXITED:
            ends.add(state.id)  # a Swarm starts another at once, and its nodes fail now and then for a moment
        return False

    try:
        await until(answers, deadline=DEADLINE, first=0.1, longest=1.0)
    except (StartFailed, TimeoutError) as error:
        lines = tuple([line async for line in engine.logs(name, tail=20)])
        raise StartFailed(
            str(error) or f"{name} does not answer after {DEADLINE:.0f} s",
            where=name,
            evidence=lines,
            next_step=f"See all of it: firstbell logs {name.rsplit('-', 1)[-1]}",
        ) from error
