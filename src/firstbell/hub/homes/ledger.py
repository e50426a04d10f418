"""On which node of a cluster each home is: recorded when it is made, and found again from the volumes themselves."""

from __future__ import annotations

from collections.abc import Iterable

from firstbell.engine.base import Engine
from firstbell.errors import HomeMissing
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.hub.people.book import PeopleStore
from firstbell.model.observed import NodeState, Observed
from firstbell.plan.home_moves import homes_found

_SEARCHED = "homes-of-node:"
"""Beginning of a name under which is kept that the homes of a node are in the record."""


class HomeLedger:
    """Homes as volumes: each is on one node, and a server that needs it runs there or not at all."""

    def __init__(self, engine: Engine, course: str, store: PeopleStore, nodes: NodesWatch) -> None:
        self._engine = engine
        self._course = course
        self._store = store
        self._nodes = nodes
        self._seen: dict[str, frozenset[str]] = {}

    def learn(self, observed: Observed) -> None:
        """Take in what a look at all nodes has found: homes that the record does not know, or knows elsewhere."""
        self._seen = found = homes_found(observed)
        answered = {node.name for node in observed.engine.nodes if node.linked}
        recorded = self._store.home_nodes()
        for user, nodes in found.items():
            known = recorded.get(user, "")
            if len(nodes) == 1 and known not in nodes and (not known or known in answered):
                self._store.record_home(user, *nodes)
        for name in answered:
            if self._store.kept(_SEARCHED + name) is None:
                self._store.keep(_SEARCHED + name, "1")

    def node_of(self, user: str) -> str:
        """The node that has this user's home; empty for somebody who has none yet."""
        return self._store.home_node(user)

    async def check(self, user: str) -> None:
        """See that there is one home at most, and that it can be had.

        Raises HomeMissing, with who, where and what to do; EngineUnavailable where a look is needed and not possible.
        """
        if len(self._places(user)) > 1 or (not self._store.home_node(user) and self._unsearched()):
            # It may have been moved, or a node searched, since the last look.
            self.learn(await self._engine.observe(self._course))
        places, known = self._places(user), self._store.home_node(user)
        if len(places) > 1:
            raise _two_homes(user, sorted(places))
        if known:
            self._check_node(user, known)
        elif missing := self._unsearched():
            raise perhaps_away(user, missing)

    def _places(self, user: str) -> frozenset[str]:
        known = self._store.home_node(user)
        return self._seen.get(user, frozenset()) | ({known} if known else frozenset())

    def _check_node(self, user: str, name: str) -> None:
        node = self._nodes.node(name)
        if node is None and self._nodes.all():
            raise HomeMissing(
                f"the files of {user} are on {name}, which is no node of this cluster any more",
                where=name,
                next_step=f"Whoever runs the course: bring {name} back (`firstbell nodes list`). Lost for good: "
                f"`firstbell homes delete {user}`, then `firstbell restore {user}` or `firstbell homes import {user}`.",
            )
        if node is not None and not (node.linked and node.ready):
            raise HomeMissing(
                f"the files of {user} are on {name}, a machine that does not answer since {self._nodes.since(name)}",
                where=name,
                next_step="They are safe there: wait until it is back. Whoever runs the course: "
                "`firstbell nodes list`.",
            )

    def _unsearched(self) -> list[str]:
        return unsearched(self._store, self._nodes.all())


def unsearched(store: PeopleStore, nodes: Iterable[NodeState]) -> list[str]:
    """Nodes on which there may be homes that the record does not know."""
    return [node.name for node in nodes if store.kept(_SEARCHED + node.name) is None]


def _two_homes(user: str, nodes: list[str]) -> HomeMissing:
    return HomeMissing(
        f"the files of {user} are on more than one machine: {' and '.join(nodes)}",
        where=", ".join(nodes),
        next_step="Nothing was started, so that neither is written. Whoever runs the course: look at both, then "
        f"keep one with `firstbell homes move {user} NODE`.",
    )


def perhaps_away(user: str, nodes: list[str]) -> HomeMissing:
    """The error of somebody who may have a home on nodes that were never asked."""
    return HomeMissing(
        f"it is not known whether {user} has files on {', '.join(nodes)}, which could not be asked since the hub's "
        "record of homes was made",
        where=", ".join(nodes),
        next_step="Nothing was started, so that nobody gets an empty home in place of their own. Wait until it is "
        "back; whoever runs the course: `firstbell nodes list`, and `firstbell nodes remove` for one that never does.",
    )
