"""Takes a node out of use (`drain`), or out of the cluster (`remove`); nobody's files are left behind unsaid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firstbell.config.wire import from_wire
from firstbell.engine.cluster import Cluster
from firstbell.engine.waiting import together, until
from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import CLUSTER, LABEL_COURSE, NODE_NUMBER, NODE_READY, Role
from firstbell.model.node_steps import LeaveSwarm, MoveHome, ReleaseNode, StopServersOn, StrikeNode, UseNode
from firstbell.model.observed import Observed
from firstbell.model.runtime import COURSE_FILE, SOCKET
from firstbell.model.steps import Step
from firstbell.plan.home_moves import Move
from firstbell.plan.node_leave import HomeThere, LeaveFacts, Occupant
from firstbell.work.home_move import move_home, plan_moves
from firstbell.work.node_look import homes_on, servers_on
from firstbell.work.people import control, stop_servers
from firstbell.work.show import Show, shown

_BUSY = 300.0
"""Seconds; whoever was seen in the last five minutes is at work."""
_GONE_DEADLINE = 120.0
"""Seconds for a node to take leave, whose containers have 10 s each to end."""
_SOCKET_OF_NODES = "/var/run/docker.sock"


async def gather(cluster: Cluster, name: str, *, move_homes: bool = False) -> LeaveFacts:
    """Who and what is on the node, of all courses. Raises FirstbellError where a course's hub cannot say."""
    observed = await cluster.observe("")
    registry = next((v for v in observed.volumes if v.name == names.registry()), None)
    courses = sorted({c.labels.get(LABEL_COURSE, "") for c in observed.containers if c.role == Role.HUB})
    each = await together(*(_of_course(cluster, observed, course, name, move=move_homes) for course in courses))
    recorded = {(home.course, home.user): home for _, homes in each for home in homes}
    seen = {(v.labels.get(LABEL_COURSE, ""), v.user) for v in homes_on(observed, name)}
    for course, user in seen - set(recorded):
        recorded[course, user] = HomeThere(course, user)
    own = observed.engine.own_node
    return LeaveFacts(
        name=name,
        nodes=observed.engine.nodes,
        own=own.name if own else "",
        keeps_registry=registry is not None and registry.node == name,
        occupants=tuple(occupant for occupants, _ in each for occupant in occupants),
        homes=tuple(recorded[key] for key in sorted(recorded)),
    )


async def _of_course(
    cluster: Cluster, observed: Observed, name: str, node: str, *, move: bool
) -> tuple[tuple[Occupant, ...], tuple[HomeThere, ...]]:
    """Servers and homes of a course on the node, as its hub knows them: also where the node is away."""
    course = await course_of(cluster, name)
    there = {c.user for c in servers_on(observed, node) if c.labels.get(LABEL_COURSE) == name}
    rows: dict[str, Any] = {}
    if there:
        rows = {row["username"]: row for row in await control(cluster, course, "list")}
    occupants = tuple(Occupant(name, user, is_busy(rows.get(user, {}))) for user in sorted(there))
    if course.homes.is_shared:
        return occupants, ()
    if move:
        moves = await plan_moves(cluster, course, node)
        return occupants, tuple(HomeThere(name, m.user, m.target) for m in moves)
    recorded = await control(cluster, course, "home-nodes")
    return occupants, tuple(HomeThere(name, user) for user, at in recorded.items() if at == node)


def is_busy(row: dict[str, Any]) -> bool:
    """Whether somebody of the hub's list was at work in the last minutes."""
    stamp = row.get("last_seen")
    if not row.get("running", True) or not stamp:
        return False
    seen = time.mktime(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    return time.time() - seen < _BUSY


async def course_of(cluster: Cluster, name: str) -> Course:
    """A running course as its own hub has it, without its secrets. Raises StartFailed if the hub does not run."""
    hub = names.container(name, Role.HUB)
    result = await cluster.exec(hub, ["cat", COURSE_FILE])
    if result.exit_code != 0:
        raise StartFailed(f"the hub of {name} cannot be asked", where=hub, evidence=result.lines)
    secrets = dict.fromkeys(_secrets(json.loads(result.stdout)), "not read")
    return from_wire(result.stdout, json.dumps(secrets).encode())


def _secrets(value: Any) -> list[str]:
    """Where the secrets of a course come from, which is all that `course.json` says of them."""
    if isinstance(value, dict):
        if value.keys() == {"$secret"}:
            return [str(value["$secret"])]
        return [source for inner in value.values() for source in _secrets(inner)]
    return [source for inner in value for source in _secrets(inner)] if isinstance(value, list) else []


async def wait_for_busy(cluster: Cluster, name: str, tell: Callable[[Sequence[Occupant]], None]) -> None:
    """Until nobody on the node is at work any more; `tell` hears who still is, each time that changes."""
    last: tuple[Occupant, ...] = ()

    async def nobody() -> bool:
        nonlocal last
        busy = (await gather(cluster, name)).busy
        if busy != last:
            tell(busy)
        last = busy
        return not busy

    await until(nobody, deadline=7 * 86400.0, first=1, longest=15)


async def carry_out(cluster: Cluster, steps: Sequence[Step], show: Show) -> None:
    """Do them, one after another; each may be done again."""
    for step in shown(steps, show):
        await _act(cluster, step, show)


async def _act(cluster: Cluster, step: Step, show: Show) -> None:
    match step:
        case UseNode(node=node, availability=word):
            await cluster.set_availability(node, word)
        case StopServersOn(course=course, users=users):
            await stop_servers(cluster, await course_of(cluster, course), users)
        case MoveHome(course=course, user=user, source=source, target=target):
            move = Move(user, source, target)
            await move_home(
                cluster, await course_of(cluster, course), move, lambda moved: show.on_progress(moved_so_far(moved))
            )
        case LeaveSwarm(machine=node):
            await _send_farewell(cluster, node)
        case ReleaseNode(node=node):
            is_told = any(n.name == node and n.linked for n in (await cluster.facts()).nodes)
            await cluster.label_node(node, {NODE_READY: "", NODE_NUMBER: ""})
            # Of a paused node Swarm takes nothing away, whatever its labels say.
            await cluster.set_availability(node, "drain")
            await _until_gone(cluster, node, is_told=is_told)
        case StrikeNode(node=node):
            await cluster.remove_node(node, force=True)
        case _:
            raise TypeError(f"{type(step).__name__} takes no node away")


def moved_so_far(count: int) -> Progress:
    """A line about bytes."""
    return Progress(f"{count} bytes", done=count)


async def _send_farewell(cluster: Cluster, node: str) -> None:
    """A helper on the node that waits for the link to go, cleans up, and leaves: nobody reaches it by then."""
    machine = await cluster.on(node)
    image = (await machine.observe("")).newest_image(Role.HUB_IMAGE)
    program = Path(__file__).with_name("node_farewell_inside.py").read_text()
    await machine.start(
        ContainerSpec(
            name=f"{names.PREFIX}_farewell",
            image=image,
            command=("python3", "-I", "-c", program),
            labels=frozen(names.labels(CLUSTER, Role.HELPER)),
            user="0:0",
            mounts=(Mount(MountKind.BIND, _SOCKET_OF_NODES, SOCKET),),
            limits=Limits(memory=128 * MIB, pids=32),
            stop_grace=1,
        )
    )


async def _until_gone(cluster: Cluster, node: str, *, is_told: bool) -> None:
    """Until the node has left, or, where a farewell is there, until that leaves by itself: nothing is run any more.

    The Swarm is patient with silent nodes (`set_patience`) and takes a node for ready for minutes after it has left.
    """

    async def gone() -> bool:
        found = [n for n in (await cluster.facts()).nodes if n.name == node]
        return not found or not found[0].ready or (is_told and not await cluster.is_busy(node))

    try:
        await until(gone, deadline=_GONE_DEADLINE, first=0.2)
    except TimeoutError as error:
        raise StartFailed(
            f"{node} has not left the Swarm after {_GONE_DEADLINE:.0f} s",
            where=node,
            next_step=f"See docker logs {names.PREFIX}_farewell there; by hand: docker swarm leave, on {node}; "
            "then run the command again.",
        ) from error
