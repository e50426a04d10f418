"""What takes a node out of use, and out of the cluster, from facts alone. Pure; `work/node_leave.py` carries it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from firstbell.errors import CourseFileError, FirstbellError, HomeMissing
from firstbell.model.node_steps import LeaveSwarm, MoveHome, ReleaseNode, StopServersOn, StrikeNode, UseNode
from firstbell.model.observed import NodeState
from firstbell.model.steps import Step


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody whose server runs on the node."""

    course: str
    user: str
    is_busy: bool = False
    """Whether they were at work in the last minutes."""


@dataclass(frozen=True, slots=True)
class HomeThere:
    """A home that is a volume of the node."""

    course: str
    user: str
    target: str = ""
    """Where it would be moved."""


@dataclass(frozen=True, slots=True)
class LeaveFacts:
    """What is on a node that is to go."""

    name: str
    nodes: tuple[NodeState, ...]
    own: str = ""
    """The manager's, from which this is done."""
    keeps_registry: bool = False
    occupants: tuple[Occupant, ...] = ()
    homes: tuple[HomeThere, ...] = ()

    @property
    def node(self) -> NodeState:
        """The one that goes. Raises CourseFileError where there is none."""
        found = next((n for n in self.nodes if n.name == self.name), None)
        if found is None:
            names = ", ".join(n.name for n in self.nodes)
            raise CourseFileError(f"there is no node {self.name}", next_step=f"Name one of {names}.")
        return found

    @property
    def busy(self) -> tuple[Occupant, ...]:
        """Who is at work there."""
        return tuple(o for o in self.occupants if o.is_busy)


def plan_drain(facts: LeaveFacts, *, move_homes: bool) -> tuple[Step, ...]:
    """No new servers there, those that run end, and homes move if that is wished."""
    return tuple(_drain(facts, move_homes=move_homes))


def _drain(facts: LeaveFacts, *, move_homes: bool) -> Iterator[Step]:
    node = facts.node
    if node.availability == "active":
        # Docker's own drain would end link and guard as well, and with them every way to the homes there.
        yield UseNode(node.name, "pause")
    for why, people in (("idle", [o for o in facts.occupants if not o.is_busy]), ("busy", facts.busy)):
        for course, users in grouped((o.course, o.user) for o in people).items():
            yield StopServersOn(node.name, course, tuple(users), why)
    if move_homes:
        yield from (MoveHome(home.course, home.user, node.name, home.target) for home in facts.homes)


def plan_remove(facts: LeaveFacts, *, may_lose_homes: bool = False) -> tuple[Step, ...]:
    """The node leaves. Raises FirstbellError while somebody's files or work, or what all courses need, is there."""
    node = facts.node
    if facts.own == node.name or facts.keeps_registry:
        raise FirstbellError(
            f"{node.name} keeps the courses' own parts: hub, registry, keys",
            where=node.name,
            next_step="End the courses first: firstbell down; then docker swarm leave --force.",
        )
    if node.manager:
        raise FirstbellError(
            f"{node.name} is a manager",
            where=node.name,
            next_step=f"docker node demote {node.name}, then run the command again.",
        )
    if facts.occupants and node.ready:
        raise FirstbellError(
            f"servers run on {node.name}: {_some(o.user for o in facts.occupants)}",
            where=node.name,
            next_step=f"firstbell nodes drain {node.name} --move-homes",
        )
    if facts.homes and not may_lose_homes:
        raise _homes_there(facts, node)
    return tuple(_remove(node))


def _remove(node: NodeState) -> Iterator[Step]:
    if node.ready and node.availability == "active":
        yield UseNode(node.name, "pause")
    if node.ready and node.linked:
        yield LeaveSwarm(node.name)
    if node.prepared or node.ready:
        yield ReleaseNode(node.name)
    yield StrikeNode(node.name)


def _homes_there(facts: LeaveFacts, node: NodeState) -> FirstbellError:
    whose = _some(h.user for h in facts.homes)
    if not node.ready:
        return HomeMissing(
            f"{node.name} is away and has the only copy of the homes of {whose}",
            where=node.name,
            next_step=f"Bring it back, then firstbell nodes drain {node.name} --move-homes. "
            f"If it is lost for good, and they with it: firstbell nodes remove {node.name} --confirm {node.name}; what "
            "backups have of them comes back by firstbell homes delete USER, then firstbell restore USER.",
        )
    return HomeMissing(
        f"homes are on {node.name}: those of {whose}",
        where=node.name,
        next_step=f"Move them: firstbell nodes drain {node.name} --move-homes",
    )


def grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """Users by course, both sorted."""
    made: dict[str, list[str]] = {}
    for course, user in sorted(pairs):
        made.setdefault(course, []).append(user)
    return made


def _some(users: Iterable[str], most: int = 8) -> str:
    """Names for eyes: the first, and how many more."""
    listed = sorted(users)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def left_words(facts: LeaveFacts) -> tuple[str, ...]:
    """What to do about homes that stay on a drained node, a line per course."""
    each = grouped((home.course, home.user) for home in facts.homes)
    return tuple(
        f"{course}: {len(users)} homes stay on {facts.name}, whose people cannot start until it is used again or "
        f"they are moved: {_some(users)}. Move all: firstbell nodes drain {facts.name} --move-homes"
        for course, users in each.items()
    )
