"""Which node takes the next start: what each has left, how many it starts at once, and where a home is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from firstbell.hub.memory.machine import Machine
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.hub.starts.under_way import Starts
from firstbell.plan.memory_room import MachineMemory
from firstbell.plan.placement import Candidate, NoPlace, node_hindrance, place

_COUNT_HOLDS = 1.0
"""Seconds for which a count of running servers is good: those that start are counted apart."""


class NodeSlots(Protocol):
    """What the queue asks about nodes."""

    def slots(self) -> Mapping[str, int]:
        """How many starts each node that can be used takes at once."""
        ...

    def pin(self, user: str) -> str:
        """The only node on which the user's server can run; empty for any."""
        ...

    def choose(self, user: str, may: Callable[[str], bool]) -> str | None:
        """The node for this start, counted there from now on; empty for one that no node can take, None to wait."""
        ...


class NodeRoom:
    """The nodes of one hub. `homes` tells where somebody's files are, `on_nodes` the node of each server that runs."""

    def __init__(  # noqa: PLR0917 - one per hub, named where it is made
        self,
        nodes: NodesWatch,
        starts: Starts,
        machine: Machine,
        limit: int,
        width: Callable[[int], int],
        homes: Callable[[str], str],
        on_nodes: Callable[[], Mapping[str, str]],
        images: Callable[[], frozenset[str] | None] = lambda: None,
    ) -> None:
        self._nodes = nodes
        self._starts = starts
        self._machine = machine
        self._limit = limit
        self._width = width
        self._homes = homes
        self._on_nodes = on_nodes
        self._images = images
        self.without_homes: Callable[[], frozenset[str]] = frozenset
        """The nodes on which shared homes cannot be had now."""
        self._counted: tuple[float, Counter[str]] = (float("-inf"), Counter())

    def slots(self) -> Mapping[str, int]:
        return {n.name: self._width(n.cpus or 1) for n in self._nodes.all() if not node_hindrance(n)}

    def pin(self, user: str) -> str:
        return self._homes(user)

    def choose(self, user: str, may: Callable[[str], bool]) -> str | None:
        found = place(self.candidates(), self._limit, self._homes(user), may)
        if found is None:
            return None
        name = found.name if isinstance(found, Candidate) else ""
        self._starts.goes_to(user, name)
        return name

    def refusal(self, user: str) -> NoPlace | None:
        """Why no node takes that user's server now; None if one does."""
        found = place(self.candidates(but=user), self._limit, self._homes(user))
        return found if isinstance(found, NoPlace) else None

    def candidates(self, but: str = "") -> tuple[Candidate, ...]:
        """All nodes as they are now; the start of the user `but` is not counted."""
        servers, without = self.running(), self.without_homes()
        coming, with_image, used = self._starts.by_node(but), self._images(), self._machine.server_use()
        return tuple(
            Candidate(
                node,
                MachineMemory(node.memory if node.memory_available else 0, node.memory_available, *used),
                servers[node.name],
                coming[node.name],
                has_image=with_image is None or node.name in with_image,
                has_homes=node.name not in without,
            )
            for node in self._nodes.all()
        )

    def running(self) -> Counter[str]:
        """How many servers run on each node."""
        made, count = self._counted
        if time.monotonic() - made >= _COUNT_HOLDS:
            count = Counter(self._on_nodes().values())
            self._counted = (time.monotonic(), count)
        return count
