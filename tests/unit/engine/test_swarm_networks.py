"""What the networks of all nodes' daemons say of a course's network."""

from __future__ import annotations

from typing import Any

from firstbell.engine.swarm_config import configuration_of
from firstbell.engine.swarm_networks import named_networks, spread_networks
from firstbell.model.observed import NetworkState, NodeState

NAME = "firstbell-c-servers"
NODES = (NodeState("node1", "n1", "10.0.0.1"), NodeState("node2", "n2", "10.0.0.2"))
HALVES = dict.fromkeys(NODES, (NetworkState(NAME, "172.20.0.1", "172.20.0.0/20"),))


def entry(configuration: str) -> dict[str, Any]:
    """A network of the course's name in a daemon's list."""
    return {"Name": NAME, "ConfigFrom": {"Network": configuration}}


def test_a_network_is_where_its_configuration_is() -> None:
    """A network that services can join is on every node that has its addresses."""
    named = named_networks([entry(configuration_of(NAME)), {"Name": "bridge"}])
    [network] = spread_networks(HALVES, named)
    assert network.nodes == ("node1", "node2")


def test_a_network_that_was_half_made_is_on_no_node() -> None:
    """An `up` that ended before the name was made, or found a stranger's there: the next makes it, same addresses."""
    for named in (named_networks([]), named_networks([entry("")])):
        [network] = spread_networks(HALVES, named)
        assert (network.nodes, network.subnet) == ((), "172.20.0.0/20")
