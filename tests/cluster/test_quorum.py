"""A Swarm that has lost most of its managers: servers go on and are known to, starts fail soon and say why."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from pathlib import Path

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_nodes import NodesByName
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.model.observed import Phase
from tests.contract.conftest import Lab, swarm_labs
from tests.support.cluster import Cluster
from tests.support.cluster import cluster as new_cluster

SOON = 10.0
"""Seconds within which a start must fail with its reason."""


async def test_without_a_leader_servers_run_and_starts_fail_soon_with_the_reason(tmp_path: Path) -> None:
    """Two of three managers cut off: what runs is seen running, a start says in 10 s why it cannot; all comes back."""
    with new_cluster("quorum", managers=3) as made:
        async for lab in swarm_labs(made, tmp_path):
            await _lose_and_find(made, lab)


async def _lose_and_find(made: Cluster, lab: Lab) -> None:
    spec, other = lab.spec(node="node1"), lab.spec(name="b", node="node1")
    started = await lab.engine.start(spec)
    hosts = {node.name: node.host for node in made.nodes}
    async with SwarmEngine(DockerEngine(made.manager.host), NodesByName(hosts)) as engine:
        await engine.nodes()
        for node in made.workers:
            node.cut()
        try:
            await leaderless(engine)
            assert (await engine.state(spec.name)).id == started.id
            await refused(engine.start(other))
            await refused(engine.stop(spec.name))
            assert (await engine.state(spec.name)).phase is Phase.RUNNING
        finally:
            for node in made.workers:
                node.heal()
        await until(lambda: decides(engine), deadline=90)
        assert (await engine.state(spec.name)).id == started.id
        assert (await engine.state(other.name)).phase is Phase.MISSING


async def refused(verb: Awaitable[object]) -> None:
    """What cannot be decided is refused in time, with the reason and the remedy."""
    began = time.monotonic()
    with pytest.raises(EngineUnavailable, match="does not have a leader") as caught:
        await verb
    assert "docker node ls" in caught.value.next_step
    assert time.monotonic() - began < SOON


async def leaderless(engine: SwarmEngine) -> None:
    """Until the managers have noticed."""

    async def noticed() -> bool:
        return not await decides(engine)

    await until(noticed, deadline=60)


async def decides(engine: SwarmEngine) -> bool:
    """Whether the Swarm can be told something."""
    try:
        await engine.label_node("node1", {"test": str(time.monotonic())})
    except EngineUnavailable:
        return False
    return True
