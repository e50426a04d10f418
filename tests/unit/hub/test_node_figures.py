"""What bells and `status` are told of a cluster's nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firstbell.hub.bells.hub import cluster_now
from firstbell.hub.nodes.figures import FILE, NodeFigures, node_lines, read_nodes, write_nodes
from firstbell.model.container import GIB
from firstbell.model.observed import NodeState
from firstbell.plan.memory_room import MachineMemory
from firstbell.plan.placement import Candidate


def node(name: str, **facts: Any) -> Candidate:
    usual: dict[str, Any] = {"id": name, "address": "10.0.0.1", "number": 1, "linked": True} | facts
    return Candidate(NodeState(name, **usual), MachineMemory(4 * GIB, 2 * GIB, 4, GIB), servers=3, coming=1)


def test_only_nodes_that_can_be_used_count(tmp_path: Path) -> None:
    """What a drained node has left helps no bell."""
    write_nodes(tmp_path, [node("a"), node("b", availability="drain"), node("c")], 6)
    assert read_nodes(tmp_path) == NodeFigures((MachineMemory(4 * GIB, 2 * GIB, 4, GIB),) * 2, 6)
    now = cluster_now(tmp_path)
    assert now.slots == 6
    assert now.memory == MachineMemory(8 * GIB, 4 * GIB, 4, GIB)
    assert now.fits(GIB, 0) == 14


def test_on_one_machine_there_is_no_such_file(tmp_path: Path) -> None:
    """Then the machine itself is asked, and half a file is none."""
    assert cluster_now(tmp_path).slots == 0
    (tmp_path / FILE).write_text('{"slots"')
    assert read_nodes(tmp_path) == NodeFigures()


def test_each_node_is_told_with_what_keeps_servers_away() -> None:
    """For `status`: counts, memory, and a reason in words where there is one."""
    good, away = node_lines([node("a"), node("b", linked=False)], GIB)
    assert (good["servers"], good["starting"], good["why_none"]) == (3, 1, "")
    assert away["why_none"] == "does not answer"
