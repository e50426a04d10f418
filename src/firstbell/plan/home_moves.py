"""A home that moves from node to node: how far a killed move came, by its volumes, and what is left to do. Pure.

While a home is on two nodes, a marker (an empty volume beside it) says which is not to be used:

| marked | meaning | the home is |
|---|---|---|
| target | being copied | at the source |
| both | copied and compared | where the hub's record says |
| source | the record has changed | at the target |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from firstbell.errors import FirstbellError, HomeAway, HomeMissing
from firstbell.model import names
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.names import Role
from firstbell.model.observed import NodeState, Observed

_SUFFIX = "-moving"


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody's home, and where it is to be."""

    user: str
    source: str
    target: str
    is_running: bool = False
    is_busy: bool = False
    """Whether the running server was used in the last minutes."""

    def __str__(self) -> str:
        running = ", whose server is stopped first" if self.is_running else ""
        return f"move the home of {self.user}{running}, from {self.source} to {self.target}"


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a home is, and what is left of moves that were cut short."""

    node: str
    remove: tuple[str, ...] = ()
    """Nodes with a copy that is worth nothing."""
    unmark: tuple[str, ...] = ()
    """Nodes with a marker, to be removed after that."""


def marker(course: str, user: str) -> VolumeSpec:
    """What stands beside a home's volume that is not to be used."""
    labels = names.labels(course, Role.MOVING, user)
    return VolumeSpec(names.home(course, user) + _SUFFIX, frozen(labels))


def any_node(observed: Observed) -> str:
    """A node for what every node can do, a manager rather than another. Raises HomeMissing where none answers."""
    good = sorted((n for n in observed.engine.nodes if n.linked), key=lambda n: (not n.manager, n.name))
    if not good:
        raise HomeMissing("no node answers", where=observed.course, next_step="See: firstbell nodes list")
    return good[0].name


def homes_found(observed: Observed) -> dict[str, frozenset[str]]:
    """The nodes that have each user's home; copies of a move are left out, unless there is nothing else."""
    homes, marked = _by_user(observed, Role.HOME), _by_user(observed, Role.MOVING)
    return {user: nodes - marked.get(user, frozenset()) or nodes for user, nodes in homes.items()}


def settle(observed: Observed, user: str, recorded: str) -> Settled:
    """Where the user's home is; `recorded` is the hub's word for it, empty where it has none.

    Raises HomeMissing where there is none, or its node does not answer; FirstbellError where two could be it.
    """
    homes = _by_user(observed, Role.HOME).get(user, frozenset())
    marked = _by_user(observed, Role.MOVING).get(user, frozenset())
    node = next((n for n in observed.engine.nodes if n.name == recorded), None)
    if recorded and (node is None or not node.linked):
        raise away(user, recorded, node)
    if not homes:
        raise HomeMissing(f"{user} has no home", where=observed.course, next_step="See: firstbell homes list")
    plain = homes - marked
    live = recorded if recorded in homes and homes - {recorded} <= marked else _only(plain)
    if not live:
        raise FirstbellError(
            f"{user} has files on more than one node: {' and '.join(sorted(homes))}",
            where=names.home(observed.course, user),
            next_step="Nothing was changed. Look at both, and remove the one that is not wanted, on its node: "
            f"docker volume rm {names.home(observed.course, user)}",
        )
    return Settled(live, tuple(sorted(homes - {live})), tuple(sorted(marked)))


def away(user: str, name: str, node: NodeState | None) -> HomeMissing:
    """The error of a home whose node cannot be asked."""
    if node is None:
        return HomeMissing(
            f"the files of {user} are on {name}, which is no node of this cluster any more",
            where=name,
            next_step=f"Bring {name} back (firstbell nodes list). Lost for good: firstbell homes delete {user}, then "
            f"firstbell restore {user} from a backup, or firstbell homes import {user} TAR",
        )
    return HomeAway(
        f"the files of {user} are on {name}, which does not answer now",
        where=name,
        next_step=f"They are safe there: bring {name} back (firstbell nodes list), then try again.",
    )


def choose_target(nodes: tuple[NodeState, ...], source: str, homes: Mapping[str, int]) -> str:
    """Where the next home goes from a node: to the one of the others with the fewest. Raises HomeMissing for none."""
    good = [n.name for n in nodes if n.usable and n.name != source]
    if not good:
        raise HomeMissing(
            f"no other node can take the homes of {source}",
            where=source,
            next_step="Prepare one: firstbell nodes prepare; `firstbell nodes list` shows how each is.",
        )
    return min(good, key=lambda name: (homes.get(name, 0), name))


def _only(nodes: frozenset[str]) -> str:
    return next(iter(nodes)) if len(nodes) == 1 else ""


def _by_user(observed: Observed, role: Role) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for volume in observed.volumes:
        if volume.role == role.value and volume.user:
            found[volume.user].add(volume.node)
    return {user: frozenset(nodes) for user, nodes in found.items()}
