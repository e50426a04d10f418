"""What renews the keys of a cluster, from facts alone. Pure; `work/renew_keys.py` carries it out."""

from __future__ import annotations

from firstbell.errors import EngineUnavailable
from firstbell.model.node_steps import HandOutKeys, RenewKeys
from firstbell.model.observed import NodeState
from firstbell.model.steps import Step


def plan_renewal(
    nodes: tuple[NodeState, ...],
    own: str,
    holders: tuple[str, ...],
    *,
    has_keys: bool,
    here: bool,
    away: frozenset[str] = frozenset(),
) -> tuple[Step, ...]:
    """The steps on the manager whose id is `own`; `holders` are the services that have keys now,
    `away` the managers that the others do not reach: for minutes more a patient Swarm calls such a node ready.

    Raises EngineUnavailable, with where to go, if another manager keeps the keys and `here` does not say that this one
    is to, or that one is there; and where there are no keys to renew.
    """
    node = next(node for node in nodes if node.id == own)
    keeper = next((node for node in nodes if node.keeps_keys), node if has_keys else None)
    if not holders and keeper is None:
        raise EngineUnavailable(
            "this cluster has no keys yet: the first course makes them",
            where=node.name,
            next_step='Bring a course up on this manager first: [engine] kind = "swarm", then firstbell up.',
        )
    if keeper != node and not here:
        raise EngineUnavailable(
            f"the keys of this cluster are kept by {keeper.name if keeper else 'another manager'}",
            where=node.name,
            next_step="Run the command there. If that machine is lost for good: firstbell nodes renew-keys --here",
        )
    if keeper and keeper != node and keeper.ready and keeper.name not in away:
        raise EngineUnavailable(
            f"{keeper.name}, which keeps the keys of this cluster, is there: --here is for when it is lost",
            where=node.name,
            next_step=f"Run firstbell nodes renew-keys on {keeper.name}.",
        )
    return (RenewKeys(node.name), *map(HandOutKeys, holders))
