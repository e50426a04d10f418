"""What each node has left, as the hub knows it, in a file: for the bells' service and for `firstbell bells`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstbell.hub.nodes.room import NodeRoom
from firstbell.plan.memory_room import MachineMemory
from firstbell.plan.placement import Candidate, hindrance, node_hindrance

LOG = logging.getLogger("firstbell.nodes")

FILE = "nodes.json"
WRITE_EVERY = 5.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """The usable nodes of a cluster: the memory of each, and how many starts they take at once together."""

    memories: tuple[MachineMemory, ...] = ()
    slots: int = 0


def write_nodes(state: Path, candidates: Iterable[Candidate], slots: int) -> None:
    """Replace the file. Raises OSError."""
    usable = [c.memory for c in candidates if not node_hindrance(c.node) and c.has_image]
    rows = [(m.total, m.available, m.servers, m.servers_use) for m in usable]
    fresh = state / f"{FILE}.new"
    fresh.write_text(json.dumps({"slots": slots, "nodes": rows}))
    fresh.replace(state / FILE)


async def keep_written(state: Path, room: NodeRoom) -> None:
    """Write over and over, until cancelled. A full disk only leaves the figures old."""
    while True:
        try:
            write_nodes(state, room.candidates(), sum(room.slots().values()))
        except OSError as error:
            LOG.debug("What the nodes have could not be written: %s", error)
        await asyncio.sleep(WRITE_EVERY)


def read_nodes(state: Path) -> NodeFigures:
    """What was written last; nothing on one machine."""
    try:
        found = json.loads((state / FILE).read_text())
    except (OSError, ValueError):
        return NodeFigures()
    return NodeFigures(tuple(MachineMemory(*row) for row in found["nodes"]), found["slots"])


def node_lines(candidates: Iterable[Candidate], limit: int) -> list[dict[str, object]]:
    """Each node for `status`: bytes, counts, and in words why it takes no server at present."""
    return [
        {
            "name": c.name,
            "memory": c.memory.total,
            "available": c.memory.available,
            "servers": c.servers,
            "starting": c.coming,
            "room_for": c.fits(limit),
            "why_none": hindrance(c, limit),
        }
        for c in candidates
    ]
