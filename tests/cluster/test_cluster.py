"""The cluster of the tests does what its verbs say; otherwise no test on it means anything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.support.cluster import Cluster, Node, bring_down, left_behind, network, place
from tests.support.cluster.node import wait

GOSSIP = 7946
"""Every member of a Swarm listens there."""
ABANDON = """\
import sys
from tests.support.cluster import bring_up
made = bring_up(sys.argv[1], nodes=2)
print(*(node.pid for node in made.nodes), flush=True)
sys.stdin.read()
"""


def connecting(node: Node, patience: float = 5.0) -> float:
    """Seconds until a connection of this machine to the node stands; the patience when it does not."""
    started = time.monotonic()
    with suppress(OSError), socket.create_connection((node.address, GOSSIP), timeout=patience):
        return time.monotonic() - started
    return patience


def test_the_nodes_are_a_swarm_each_with_a_daemon_a_network_and_a_name_of_its_own(cluster: Cluster) -> None:
    """Every node is ready, and says its own name and address, to its own daemon's client, too."""
    assert cluster.states() == dict.fromkeys(("node1", "node2", "node3"), "ready")
    for node in cluster.nodes:
        assert node.run("hostname").stdout.strip() == node.name
        assert node.run("docker", "info", "--format", "{{.Name}} {{.Swarm.NodeAddr}}").stdout.split() == [
            node.name,
            node.address,
        ]


def test_a_power_cut_ends_daemon_and_processes_and_the_swarm_hears_only_silence(mended: Cluster) -> None:
    """After a kill nothing runs on the node, its manager sees it down, and it returns by start."""
    node = mended.nodes[2]
    left = subprocess.Popen(node.inside("sleep", "600"))
    node.kill()
    assert left.wait(10) != 0
    assert node.pid == 0 and connecting(node, 1) == 1
    mended.wait_for("down", node)
    node.start()
    mended.wait_for("ready", node)


def test_a_cut_node_runs_on_unseen(mended: Cluster) -> None:
    """A cut node is down for its manager, while its own daemon answers; healed, it is ready again."""
    node = mended.nodes[1]
    node.cut()
    mended.wait_for("down", node)
    assert node.docker("info", "--format", "{{.Name}}") == node.name
    node.heal()
    mended.wait_for("ready", node)


def test_a_slow_node_is_late_by_what_was_asked_and_loses_packets(mended: Cluster) -> None:
    """With 300 ms every connection takes that long and not much longer; with 30 % loss some have to try twice."""
    node = mended.nodes[1]
    before = min(connecting(node) for _ in range(5))
    node.slow(300)
    late = min(connecting(node) for _ in range(5))
    node.slow(0, 30)
    with ThreadPoolExecutor(30) as pool:
        tries = list(pool.map(lambda _: connecting(node, 20), range(30)))
    node.heal()
    healed = min(connecting(node) for _ in range(5))
    print(f"before {before:.3f} s, slow {late:.3f} s, healed {healed:.3f} s; lost {sum(t > 0.9 for t in tries)} of 30")
    assert before < 0.2 and healed < 0.2 and 0.3 <= late < 0.6
    assert 1 <= sum(seconds > 0.9 for seconds in tries) < 30


def test_a_stopped_node_is_gone_in_good_order_and_keeps_its_place(mended: Cluster) -> None:
    """A node that was shut down is the same member of the Swarm after its start."""
    node = mended.nodes[2]
    own = node.docker("info", "--format", "{{.Swarm.NodeID}}")
    node.stop()
    assert node.pid == 0
    node.start()
    mended.wait_for("ready", node)
    assert node.docker("info", "--format", "{{.Swarm.NodeID}}") == own


def test_what_a_killed_run_left_is_found_and_removed() -> None:
    """A cluster whose test was killed is on the list of the abandoned; removing it ends all of it."""
    name = "killed"
    run = subprocess.Popen(
        [sys.executable, "-c", ABANDON, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert run.stdout
        pids = [int(word) for word in run.stdout.readline().split()]
        assert len(pids) == 2
        run.kill()
        run.wait()
        assert name in left_behind() and network.spaces(name)
        os.kill(pids[0], signal.SIGKILL)  # the more is missing, the more there is to stumble over
    finally:
        run.kill()
        bring_down(name)
    wait(lambda: not any(_runs(pid) for pid in pids), "its daemons end")
    assert name not in left_behind() and not network.spaces(name) and not place.folder(name).exists()
    assert f"fbc-{name}" not in network.command("iptables", "-S") + network.command("ip", "link")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
