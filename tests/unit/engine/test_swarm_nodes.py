"""The ways to the nodes of a Swarm, and the engine that is made of them."""

from __future__ import annotations

import pytest

from firstbell.engine.connect import connect
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_nodes import LinkedNodes, NodesByName
from firstbell.errors import EngineUnavailable
from firstbell.link.keys import KeyPair, RoleKeys
from firstbell.model.cluster import KeyRole
from firstbell.model.observed import NodeState

NODE = NodeState("node2", "2", "10.0.0.2", number=2)


async def test_an_engine_of_a_swarm_is_had_without_its_being_there() -> None:
    """The hub starts before the manager answers; the first verb says that it is away, and what to do."""
    engine = await connect("swarm", "unix:///firstbell-none.sock")
    assert isinstance(engine, SwarmEngine)
    with pytest.raises(EngineUnavailable) as caught:
        await engine.state("a")
    assert caught.value.next_step
    await engine.close()


async def test_links_are_asked_for_once_there_are_keys() -> None:
    """Before the cluster has keys no node has a way, in words; keys that come later serve without a restart."""
    found: list[RoleKeys | None] = [None]

    async def load() -> RoleKeys | None:
        return found[0]

    ways = LinkedNodes(load)
    await ways.ready()
    with pytest.raises(EngineUnavailable, match="node2 cannot be reached") as caught:
        await ways.pulse(NODE)
    assert "firstbell nodes prepare" in caught.value.next_step
    with pytest.raises(EngineUnavailable):
        ways.engine(NODE)
    found[0] = RoleKeys(KeyRole.HUB, b"authority", KeyPair(b"certificate", b"key"))
    await ways.ready()
    with pytest.raises(EngineUnavailable, match="not prepared"):
        ways.engine(NodeState("new", "3", "10.0.0.3"))
    await ways.close()


async def test_a_node_without_an_address_has_no_way() -> None:
    """What is not in the list is no node that can be asked; what is, is one engine each."""
    ways = NodesByName({"node2": "unix:///none.sock"})
    assert ways.engine(NODE) is ways.engine(NODE)
    with pytest.raises(EngineUnavailable, match="node3"):
        ways.engine(NodeState("node3", "3", "10.0.0.3"))
    await ways.close()
