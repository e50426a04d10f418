"""Bring a cluster up and down, also one whose owner was killed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from tests.support.cluster import network, place
from tests.support.cluster.network import Network
from tests.support.cluster.node import Node, wait

_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
SWARM_PORT = 2377


@dataclass(frozen=True)
class Cluster:
    """Nodes that form a Swarm; the first is its manager."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def manager(self) -> Node:
        """The first manager."""
        return self.nodes[0]

    @property
    def workers(self) -> tuple[Node, ...]:
        """All but the first."""
        return self.nodes[1:]

    def node(self, name: str) -> Node:
        """The node of that host name."""
        return next(node for node in self.nodes if node.name == name)

    def states(self, seen_by: Node | None = None) -> dict[str, str]:
        """Host name → `ready`, `down`, `unknown`, as a manager says; empty when no manager can say."""
        asked = (seen_by or self.manager).docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}", check=False)
        return {name: state.lower() for name, state in (line.split() for line in asked.splitlines())}

    def wait_for(self, state: str, *nodes: Node, seen_by: Node | None = None, patience: float = 90.0) -> None:
        """Until the manager says so of these nodes; of all without any."""
        named = [node.name for node in nodes or self.nodes]

        def look() -> bool:
            states = self.states(seen_by)
            return all(states.get(name) == state for name in named)

        wait(look, f"{', '.join(named)} {state} in the Swarm: {self.states(seen_by)}", patience)

    def load(self, *images: str) -> None:
        """Copy images of this machine's engine to every node."""
        for node in self.nodes:
            node.load(*images)

    def mend(self) -> None:
        """Everything on, plugged in and ready again."""
        for node in self.nodes:
            node.heal()
            if not node.pid:
                node.boot()
        for node in self.nodes:
            node.answers()
        self.wait_for("ready")


@contextmanager
def cluster(name: str = "test", *, nodes: int = 3, managers: int = 1, swarm: bool = True) -> Iterator[Cluster]:
    """A cluster for the time being. Under a name that another process uses, `name2`, `name3` … is taken."""
    with ExitStack() as stack:
        made = stack.enter_context(_first_free(name))
        for leftover in left_behind():
            if leftover != made:
                _sweep(leftover)
        stack.callback(bring_down, made)
        yield bring_up(made, nodes=nodes, managers=managers, swarm=swarm)


@contextmanager
def stranger(made: Cluster) -> Iterator[Node]:
    """One machine more, of somebody who has come by the worker token; it is none of the cluster's `nodes`."""
    (joined,) = _nodes(made.manager.net, len(made.nodes) + 1)[len(made.nodes) :]
    _remove_stranger(made, joined)
    try:
        joined.boot()
        joined.answers()
        token = made.manager.docker("swarm", "join-token", "--quiet", "worker")
        joined.docker("swarm", "join", "--token", token, f"{made.manager.address}:{SWARM_PORT}")
        wait(lambda: made.states().get(joined.name) == "ready", f"{joined.name} has joined")
        yield joined
    finally:
        _remove_stranger(made, joined)


def _remove_stranger(made: Cluster, joined: Node) -> None:
    joined.net.disconnect(joined.number)
    joined.discard(keep_images=False)
    made.manager.docker("node", "rm", "--force", joined.name, check=False)


def bring_up(name: str, *, nodes: int = 3, managers: int = 1, swarm: bool = True, keep: bool = False) -> Cluster:
    """Make the cluster anew; what is left of one of that name is removed first."""
    assert _NAME.fullmatch(name), f"a cluster's name is up to 8 letters and digits: {name}"
    bring_down(name)
    with place.waiting_lock():
        net = Network(name, network.free_subnet())
        net.make()
    folder = place.folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    state = {"subnet": str(net.subnet), "nodes": nodes, "owner": 0 if keep else os.getpid()}
    (folder / "cluster.json").write_text(json.dumps(state))
    made = Cluster(name, _nodes(net, nodes))
    for node in made.nodes:
        place.take_data(node.number, node.data)
        node.boot()
    for node in made.nodes:
        node.answers()
    if swarm:
        _join(made, managers)
    return made


def _join(made: Cluster, managers: int) -> None:
    first = made.manager
    first.docker("swarm", "init", "--advertise-addr", first.address)
    tokens = {role: first.docker("swarm", "join-token", "--quiet", role) for role in ("manager", "worker")}
    for node in made.workers:
        token = tokens["manager" if node.number <= managers else "worker"]
        node.docker(
            "swarm", "join", "--token", token, "--advertise-addr", node.address, f"{first.address}:{SWARM_PORT}"
        )
    made.wait_for("ready")


def bring_down(name: str) -> None:
    """Remove the cluster of that name, whatever is left of it; images stay for the next one."""
    folder = place.folder(name)
    network.remove(name)
    if (folder / "cluster.json").exists():
        for node in _attached(name).nodes:
            node.discard(keep_images=True)
    shutil.rmtree(folder, ignore_errors=True)


def attached(name: str) -> Cluster:
    """The cluster of that name that was brought up; raises FileNotFoundError where there is none."""
    if not network.spaces(name):
        raise FileNotFoundError(f"no cluster named {name} is up")
    return _attached(name)


def left_behind() -> list[str]:
    """Names of clusters whose tests were killed."""
    found = []
    for file in place.folder("").glob("*/cluster.json"):
        owner = _state(file.parent.name)["owner"]
        if owner and not Path(f"/proc/{owner}").exists():
            found.append(file.parent.name)
    return found


def _sweep(name: str) -> None:
    try:
        with place.locked(name):
            bring_down(name)
    except BlockingIOError:
        pass  # its next owner is at it


@contextmanager
def _first_free(name: str) -> Iterator[str]:
    for number in range(1, 10):
        trial = name if number == 1 else f"{name}{number}"
        stack = ExitStack()
        try:
            stack.enter_context(place.locked(trial))
        except BlockingIOError:
            continue
        with stack:
            yield trial
        return
    raise AssertionError(f"nine clusters named {name} are in use")


def _attached(name: str) -> Cluster:
    state = _state(name)
    return Cluster(name, _nodes(Network(name, IPv4Network(state["subnet"])), state["nodes"]))


def _nodes(net: Network, count: int) -> tuple[Node, ...]:
    return tuple(Node(n, net, place.folder(net.name) / f"node{n}") for n in range(1, count + 1))


def _state(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.folder(name) / "cluster.json").read_text())
    return found
