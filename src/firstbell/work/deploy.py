"""`up`, `down`: observe the engine, plan, show, act, report."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

import firstbell
from firstbell.engine.base import Engine
from firstbell.engine.waiting import together, until
from firstbell.errors import HomeMissing, PortTaken, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.model.steps import Step
from firstbell.plan import deploy as plan
from firstbell.plan.edge import is_loopback
from firstbell.plan.services import Inputs, roster_file
from firstbell.plan.upgrade import refuse_other_version
from firstbell.work import cluster, swarm, trial
from firstbell.work.carry_out import act
from firstbell.work.gather import gather, is_local, observe_course
from firstbell.work.home_places import home_nodes
from firstbell.work.lock import course_lock
from firstbell.work.restore_course import refuse_half_restored
from firstbell.work.show import Show, shown


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
    if course.engine.kind == "swarm":
        return await swarm.plan_up(cluster.as_cluster(engine), course)
    inputs, observed = await together(gather(engine, course), observe_course(engine, course))
    refuse_other_version(course, observed, firstbell.__version__)
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
        await refuse_half_restored(engine, course)
        if course.engine.kind == "swarm":
            steps = await swarm.carry_out(cluster.as_cluster(engine), course, steps, show)
        else:
            await _carry_out(engine, course, steps, show)
        await _renew_roster(engine, inputs)
        await wait_for_course(engine, course)
    return UpResult(course.public_url, steps, time.monotonic() - started)


async def plan_down(engine: Engine, course: Course, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """What `down` would do."""
    if course.engine.kind == "swarm":
        return await swarm.plan_down(cluster.as_cluster(engine), course, delete_homes=delete_homes)
    observed = await engine.observe(course.name)
    guard = observed.container(names.container(course.name, Role.GUARD))
    return plan.plan_down(course, observed, guard.image, delete_homes=delete_homes)


async def down(engine: Engine, course: Course, show: Show, *, delete_homes: bool = False) -> tuple[Step, ...]:
    """End the course; homes stay unless they are to be deleted, too."""
    with course_lock(course.name):
        steps = await plan_down(engine, course, delete_homes=delete_homes)
        await _carry_out(engine, course, steps, show)
        if course.engine.kind == "swarm":
            await swarm.sweep(cluster.as_cluster(engine), course)
        else:
            await trial.clean_up(engine, course)
    return steps


async def nodes_away(engine: Engine, course: Course) -> dict[str, tuple[str, ...]]:
    """The cluster's nodes that do not answer, so that nothing on them can be ended, with whose homes are there.

    The hub knows that; while it does not run nobody is named.
    """
    if course.engine.kind != "swarm":
        return {}
    silent = [node.name for node in await swarm.away(cluster.as_cluster(engine))]
    recorded = await home_nodes(engine, await engine.observe(course.name)) if silent else {}
    return {name: tuple(sorted(user for user, node in recorded.items() if node == name)) for name in silent}


async def _carry_out(engine: Engine, course: Course, steps: Sequence[Step], show: Show) -> None:
    for step in shown(steps, show):
        await act(engine, course, step, show)


async def _renew_roster(engine: Engine, inputs: Inputs) -> None:
    """A changed roster is no reason to replace the hub, which looks at the file every few seconds."""
    if inputs.roster_csv:
        await engine.put(names.container(inputs.course.name, Role.HUB), [roster_file(inputs.roster_csv)])


def _refuse_missing_store(course: Course) -> None:
    directory = course.homes.directory
    if directory and is_local(course) and not Path(directory).is_dir():
        raise HomeMissing(
            f"the directory of homes {directory} is not there",
            where="[homes] store",
            next_step=f"Mount or make it: mkdir -p {directory}",
        )


async def _refuse_taken_ports(engine: Engine, course: Course) -> None:
    if not is_local(course):
        return
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


async def _edge_address(engine: Engine, course: Course) -> str:
    """Where the edge is asked from here: this machine's own loopback, but for a cluster's elsewhere."""
    if is_loopback(course):
        return course.host
    if course.engine.kind == "swarm" and not is_local(course):
        edge = await engine.state(names.container(course.name, Role.EDGE))
        nodes = (await engine.facts()).nodes
        return next((node.address for node in nodes if node.name == edge.node), "127.0.0.1")
    return "127.0.0.1"


async def wait_for_course(engine: Engine, course: Course) -> None:
    """Until the course answers at its URL. Raises StartFailed if it does not within a minute."""
    await _wait_for_url(course, await _edge_address(engine, course))


async def _wait_for_url(course: Course, address: str) -> None:
    """The course's own URL, asked as a browser on this machine would, through the edge."""
    parts = urlsplit(course.public_url)
    at = f"{parts.scheme}://{address}:{course.port}"
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
