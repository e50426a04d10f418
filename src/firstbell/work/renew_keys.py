"""Renews the keys of a cluster. Killed anywhere, the next run begins anew and hands the newest to all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm_keys import image_for_keys, read_keys
from firstbell.engine.swarm_renew import Renewal
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.link import authority
from firstbell.link.keys import ClusterKeys
from firstbell.model.node_steps import HandOutKeys, RenewKeys
from firstbell.model.steps import Step
from firstbell.plan.renew_keys import plan_renewal
from firstbell.work.cluster import no_manager
from firstbell.work.show import Show, shown

_DEADLINE = 90.0
"""Seconds for the Swarm to begin hubs, tunnels and links anew."""


async def plan(manager: DockerEngine, *, here: bool) -> tuple[Step, ...]:
    """What would be done. Raises EngineUnavailable where this manager cannot."""
    membership = await manager.members.membership()
    if not (membership.is_member and membership.is_manager):
        raise no_manager(membership)
    renewal = Renewal(manager)
    nodes, own = await renewal.nodes()
    has_keys = await read_keys(manager) is not None
    away = frozenset(one.name for one in await manager.members.managers() if not one.is_reachable)
    return plan_renewal(nodes, own, await renewal.holders(), has_keys=has_keys, here=here, away=away)


async def carry_out(manager: DockerEngine, steps: Sequence[Step], show: Show) -> None:
    """Do them. Until the last is done nodes are not reached; servers and kernels go on."""
    renewal, keys = Renewal(manager), authority.make(datetime.now(UTC))
    for step in shown(steps, show):
        await _act(manager, renewal, keys, step)

    async def done() -> bool:
        return not await renewal.unfinished()

    with contextlib.suppress(TimeoutError):  # of a node that is away the Swarm does the same once it is back
        await until(done, deadline=_DEADLINE, first=0.2, longest=1.0)


async def _act(manager: DockerEngine, renewal: Renewal, keys: ClusterKeys, step: Step) -> None:
    match step:
        case RenewKeys(node=name):
            image = await image_for_keys(manager)
            if not image:
                raise EngineUnavailable(
                    "no image of Firstbell's is here to keep the keys with",
                    where=name,
                    next_step=f"firstbell nodes prepare {name} brings it while the cluster is well; "
                    "else run this command on a manager that was prepared.",
                )
            nodes, own = await renewal.nodes()
            await renewal.keep(keys, image, next(node for node in nodes if node.id == own))
        case HandOutKeys(service=service):
            await renewal.hand_out(keys, service)
        case _:
            raise TypeError(f"{type(step).__name__} renews no keys")
