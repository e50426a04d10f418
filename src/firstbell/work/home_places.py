"""Where `firstbell homes` works: on one machine there, on a cluster on a node that has the home."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.plan.home_moves import any_node, choose_target, homes_found, settle
from firstbell.plan.place import Place
from firstbell.work.people import control_of


async def engine_of_home(engine: Engine, observed: Observed, place: Place) -> Engine:
    """The daemon that can have the home: that of its node, for a new one of the node with the fewest.

    Raises HomeMissing where that node does not answer.
    """
    if not isinstance(engine, Cluster):
        return engine
    if place.parent:
        return await engine.on(any_node(observed))
    recorded = (await home_nodes(engine, observed)).get(place.user, "")
    found = homes_found(observed)
    if recorded or place.user in found:
        return await engine.on(settle(observed, place.user, recorded).node)
    count = Counter(node for nodes in found.values() for node in nodes)
    return await engine.on(choose_target(observed.engine.nodes, "", count))


async def engines_of_homes(engine: Engine, observed: Observed, course: Course) -> dict[str, Engine]:
    """The daemons to be asked for sizes, by node; the one of no node has everything."""
    if not isinstance(engine, Cluster):
        return {"": engine}
    if course.homes.is_shared:
        return {"": await engine.on(any_node(observed))}
    nodes = sorted({v.node for v in observed.volumes if v.role == Role.HOME and v.node})
    return dict(zip(nodes, await asyncio.gather(*(engine.on(node) for node in nodes)), strict=True))


async def home_nodes(engine: Engine, observed: Observed) -> dict[str, str]:
    """The hub's record of homes that are volumes, by user; nothing while it does not run."""
    hub = observed.container(names.container(observed.course, Role.HUB))
    if not isinstance(engine, Cluster) or hub.phase is not Phase.RUNNING:
        return {}
    try:
        told: dict[str, str] = await control_of(engine, observed.course, "home-nodes")
    except (EngineUnavailable, StartFailed):
        return {}
    return told


def away_homes(observed: Observed, recorded: dict[str, str]) -> Iterable[tuple[str, str]]:
    """Users and nodes of homes that cannot be seen now."""
    there = {n.name for n in observed.engine.nodes if n.linked}
    return [(user, node) for user, node in sorted(recorded.items()) if node and node not in there]
