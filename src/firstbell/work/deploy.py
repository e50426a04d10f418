"""`up`, `down`: observe the engine, plan, show, act, report."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from firstbell.engine.base import Engine
from firstbell.engine.waiting import together, until
from firstbell.errors import HomeMissing, PortTaken, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
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
from firstbell.plan import deploy as plan
from firstbell.plan.edge import is_loopback
from firstbell.plan.services import Inputs, probes, roster_file
from firstbell.work import build, static_files
from firstbell.work.gather import gather, host_routes
from firstbell.work.lock import course_lock
from firstbell.work.show import Show, shown

HUB_DEADLINE = 90.0
"""Seconds a hub may take to answer before `up` gives up; it takes about three."""


@dataclass(frozen=True, slots=True)
class UpResult:
    """How `up` ended."""

    url: str
    steps: tuple[Step, ...]
    seconds: float

    @property
    def up_to_date(self) -> bool:
        """Whether there was nothing to do."""
        return not self.steps


async def plan_up(engine: Engine, course: Course) -> tuple[Inputs, tuple[Step, ...]]:
    """Read the folder and the engine, and say what `up` would do."""
    inputs, observed = await together(gather(engine, course), observe_course(engine, course))
    return inputs, plan.plan_up(inputs, observed)


async def up(engine: Engine, course: Course, show: Show) -> UpResult:
    """Bring the course to what its file says. Raises a FirstbellError naming the step that failed.

    Killed anywhere, the next run goes on from what it finds.
    """
    started = time.monotonic()
    with course_lock(course.name):
        inputs, steps = await plan_up(engine, course)
        _refuse_missing_store(course)
        await _refuse_taken_ports(engine, course)
        await _carry_out(engine, course, steps, show)
        await _renew_roster(engine, inputs)
        await _wait_for_url(course)
    return UpResult(course.public_url, steps, time.monotonic() - started)


async def plan_down(engine: Engine, course: Course, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """What `down` would do."""
    observed = await engine.observe(course.name)
    guard = observed.container(names.container(course.name, Role.GUARD))
    return plan.plan_down(course, observed, guard.image, delete_homes=delete_homes)


async def down(engine: Engine, course: Course, show: Show, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """End the course; homes stay unless they are to be deleted, too."""
    with course_lock(course.name):
        steps = await plan_down(engine, course, delete_homes=delete_homes)
        await _carry_out(engine, course, steps, show)
    return steps


async def observe_course(engine: Engine, course: Course) -> Observed:
    """What exists of a course, and every subnet that this machine uses."""
    observed = await engine.observe(course.name)
    return replace(observed, used_subnets=(*observed.used_subnets, *host_routes()))


async def _carry_out(engine: Engine, course: Course, steps: Sequence[Step], show: Show) -> None:
    for step in shown(steps, show):
        await _act(engine, course, step, show)


async def _act(engine: Engine, course: Course, step: Step, show: Show) -> None:
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
        case StartContainer(spec=spec):
            await engine.start(spec)
            await _settled(engine, course, spec.name, show)
        case StopContainer(name=name, grace=grace):
            await engine.stop(name, grace)
        case RunHelper(spec=spec, what=what):
            result = await engine.run(spec)
            if result.exit_code != 0:
                raise StartFailed(f"could not {what}", where=spec.name, evidence=result.lines)
        case RemoveNetwork(name=name):
            await engine.remove_network(name)
        case RemoveVolume(name=name):
            await engine.remove_volume(name)


async def _settled(engine: Engine, course: Course, name: str, show: Show) -> None:
    """Wait until what was started does its work; a container that ends instead is reported with its log."""
    probe = next((p for role, p in probes(course.name).items() if name == names.container(course.name, role)), None)
    if probe is None:
        return
    show.on_progress(Progress(f"waiting for {name}"))

    async def answers() -> bool:
        state = await engine.state(name)
        if state.phase is not Phase.RUNNING:
            raise StartFailed(f"{name} ended at once (exit code {state.exit_code})")
        return (await engine.exec(name, probe)).exit_code == 0

    try:
        await until(answers, deadline=HUB_DEADLINE, first=0.1, longest=1.0)
    except (StartFailed, TimeoutError) as error:
        lines = tuple([line async for line in engine.logs(name, tail=20)])
        raise StartFailed(
            str(error) or f"{name} does not answer after {HUB_DEADLINE:.0f} s",
            where=name,
            evidence=lines,
            next_step=f"See all of it: firstbell logs {name.rsplit('-', 1)[-1]}",
        ) from error


async def _renew_roster(engine: Engine, inputs: Inputs) -> None:
    """A changed roster is no reason to replace the hub, which looks at the file every few seconds."""
    if inputs.roster_csv:
        await engine.put(names.container(inputs.course.name, Role.HUB), [roster_file(inputs.roster_csv)])


def _refuse_missing_store(course: Course) -> None:
    directory = course.homes.directory
    if directory and not Path(directory).is_dir():
        raise HomeMissing(
            f"the directory of homes {directory} is not there",
            where="[homes] store",
            next_step=f"Mount or make it: mkdir -p {directory}",
        )


async def _refuse_taken_ports(engine: Engine, course: Course) -> None:
    edge = await engine.state(names.container(course.name, Role.EDGE))
    if edge.phase is Phase.RUNNING:
        return
    address = "127.0.0.1" if is_loopback(course) else "0.0.0.0"  # noqa: S104 - only to see whether it is free
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, course.port))
        except OSError as error:
            raise PortTaken(
                f"port {course.port} is not free: {error.strerror}",
                where=f"{address}:{course.port}",
                next_step=f"See who has it: ss -ltnp 'sport = :{course.port}'; or choose another port in url.",
            ) from error


async def _wait_for_url(course: Course) -> None:
    """The course's own URL, asked as a browser on this machine would, through the edge."""
    parts = urlsplit(course.public_url)
    at = f"{parts.scheme}://{'127.0.0.1' if not is_loopback(course) else course.host}:{course.port}"
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def answers() -> bool:
            try:
                async with session.get(
                    f"{at}{course.base_url}hub/health",
                    ssl=False,
                    headers={"Host": parts.netloc},
                    server_hostname=course.host if course.is_https else None,
                ) as response:
                    return response.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

        try:
            await until(answers, deadline=60, first=0.05, longest=1.0)
        except TimeoutError as error:
            raise StartFailed(
                "everything runs, but the course does not answer at its URL",
                where=course.public_url,
                next_step="Look at the edge: firstbell logs edge",
            ) from error
