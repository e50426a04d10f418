"""Nodes of the fake engine: none is one machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from firstbell.engine.fake_knobs import Knobs
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import GIB
from firstbell.model.observed import ContainerState, EngineFacts, NodeState, Phase, VolumeState


class Nodes(Knobs):
    """`add_node` makes the engine a cluster; `lose_node` cuts one off, whose containers go on, until `find_node`."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, NodeState] = {}
        self._left_behind: dict[str, list[Any]] = defaultdict(list)

    def add_node(self, name: str, **facts: Any) -> NodeState:
        """A node that is ready, of 2 cores and 4 GiB unless `facts` say otherwise."""
        number = len(self.nodes) + 1
        usual: dict[str, Any] = {
            "id": f"id-{name}", "address": f"10.0.0.{number}", "number": number, "linked": True, "cpus": 2,
            "memory": 4 * GIB, "memory_available": 4 * GIB, "manager": number == 1,
        }  # fmt: skip
        self.nodes[name] = NodeState(name, **(usual | facts))
        return self.nodes[name]

    def change_node(self, name: str, **facts: Any) -> None:
        """What a node says of itself from now on."""
        self.nodes[name] = replace(self.nodes[name], **facts)

    def lose_node(self, name: str) -> None:
        """Nothing is heard of the node any more; what runs there may go on."""
        self.change_node(name, linked=False, ready=False, memory_available=0)

    def find_node(self, name: str) -> None:
        """It is back; what was removed meanwhile ends there."""
        self.change_node(name, linked=True, ready=True, memory_available=self.nodes[name].memory)
        for container in self._left_behind.pop(name, []):
            if container.task:
                container.task.cancel()

    def _leave_behind(self, node: str, container: Any) -> None:
        self._left_behind[node].append(container)

    def _with_nodes(self, facts: EngineFacts) -> EngineFacts:
        return replace(facts, nodes=tuple(self.nodes.values()), swarm=True) if self.nodes else facts

    def _is_lost(self, node: str) -> bool:
        return node in self.nodes and not self.nodes[node].linked

    def _seen(self, state: ContainerState) -> ContainerState:
        """The container as a manager sees it: of one on a lost node nothing is known."""
        return replace(state, phase=Phase.UNKNOWN, address="") if self._is_lost(state.node) else state

    def _need_node(self, node: str) -> None:
        if not node or not self.nodes:
            return
        if node not in self.nodes:
            raise StartFailed(f"there is no node {node}", where=node, next_step="See `firstbell nodes list`.")
        if self._is_lost(node):
            raise self._no_answer(node)

    def _no_answer(self, node: str) -> EngineUnavailable:
        return EngineUnavailable(f"{node} does not answer", where=node, next_step="See `firstbell nodes list`.")

    def _is_on(self, volume: VolumeState, name: str, node: str) -> bool:
        return volume.name == name and volume.node in {"", node}
