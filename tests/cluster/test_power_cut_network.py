"""A node after a power cut: its daemon has a record of the course's network, the Swarm's agent has none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from firstbell.model.observed import Phase
from tests.contract.conftest import swarm_labs
from tests.support.cluster import Node
from tests.support.cluster import cluster as new_cluster

_SUBNET, _GATEWAY = "172.29.16.0/20", "172.29.16.1/20"


async def test_servers_start_on_a_node_after_a_power_cut(tmp_path: Path) -> None:
    """Several at once, at first and after each of two power cuts; in the end the network can be removed."""
    with new_cluster("power", nodes=2) as made:
        async for lab in swarm_labs(made, tmp_path):
            network = replace(lab.network(subnet=_SUBNET, device_made=True), bridge="fb-power")
            node = made.workers[0]
            _make_device(node)
            await lab.engine.ensure_network(network)
            try:
                for cut in range(3):
                    if cut:
                        node.kill()
                        node.start()
                        made.wait_for("ready")
                        _make_device(node)
                    specs = [lab.spec(name=f"{cut}{letter}", node=node.name, network=network.name) for letter in "abc"]
                    started = await asyncio.gather(*(lab.engine.start(spec) for spec in specs))
                    assert [state.phase for state in started] == [Phase.RUNNING] * 3
                    assert len({state.address for state in started}) == 3
                    isolation = node.run("iptables", "-S", "FORWARD").stdout
                    assert "-i fb-power -o fb-power -j DROP" in isolation, "what runs there stays apart"
                    for spec in specs:
                        await lab.engine.stop(spec.name)
            finally:
                await lab.engine.remove_network(network.name)
            assert network.name not in made.manager.docker("network", "ls", "--format", "{{.Name}}")


def _make_device(node: Node) -> None:
    """As the guard does, when it starts."""
    node.run(
        "sh", "-c", f"ip link add fb-power type bridge; ip addr add {_GATEWAY} dev fb-power; ip link set fb-power up"
    )
