"""A course that ran on one machine with Docker goes on on that machine's Swarm: its containers end, its volumes stay.

Homes and the hub's state are found again by their names: the daemon is the same. The hub learns from the volumes that
its homes are on this node.
"""

from __future__ import annotations

from firstbell.engine.base import Report
from firstbell.engine.cluster import Cluster
from firstbell.engine.swarm_read import LABEL_SERVICE
from firstbell.engine.swarm_state import LABEL_BESIDE
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Observed
from firstbell.work.machine import Ask

_ORDER = (Role.EDGE, Role.HUB, Role.PROXY, Role.APP, Role.SERVER)
_GRACE = 15


def of_docker(observed: Observed) -> tuple[ContainerState, ...]:
    """Containers that Docker alone runs for the course, in the order in which they end; none once it is on a Swarm.

    A Swarm's own hub and guard are services; what it keeps beside a server carries a label of its own.
    """
    plain = [c for c in observed.containers if LABEL_SERVICE not in c.labels and LABEL_BESIDE not in c.labels]
    if not any(c.role in {Role.HUB, Role.GUARD} for c in plain):
        return ()
    return tuple(c for role in (*_ORDER, Role.GUARD) for c in plain if c.role == role)


async def leave_docker(engine: Cluster, course: Course, ask: Ask, report: Report) -> None:
    """End what Docker runs of the course on this machine, asked for first. Raises Declined.

    Killed anywhere, the next run goes on: the guard goes last, after the network that it watches.
    """
    machine = await engine.on((await engine.members.membership()).name)
    found = of_docker(await machine.observe(course.name))
    if not found:
        return
    servers = sum(c.role == Role.SERVER for c in found)
    people = f", {servers} {'server' if servers == 1 else 'servers'} of people among them" if servers else ""
    ask(
        f"{course.name} runs on this machine with Docker: {len(found)} containers{people}. End them, and go on on the "
        "Swarm? All homes and what the hub knows stay.",
        "Add --yes.",
    )
    for state in found:
        if state.role == Role.GUARD:
            await machine.remove_network(names.network(course.name))
        report(Progress(f"ending {state.name}"))
        await machine.stop(state.name, _GRACE)
