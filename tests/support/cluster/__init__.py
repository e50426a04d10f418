"""A real Swarm of several Docker daemons on this machine: `with cluster("name") as made: …`. Needs root."""

from __future__ import annotations

from tests.support.cluster.node import Node
from tests.support.cluster.swarm import Cluster, attached, bring_down, bring_up, cluster, left_behind

__all__ = ["Cluster", "Node", "attached", "bring_down", "bring_up", "cluster", "left_behind"]
