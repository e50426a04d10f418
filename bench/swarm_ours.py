"""Firstbell on a Swarm, brought up by its own commands on the manager."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine import wait_until
from bench.our_side import FIRSTBELL, NO_KERNELS
from bench.side import ROOT, prefix
from bench.swarm_peer import container_cpu
from tests.support.cluster import Cluster
from tests.support.cluster_images import give_images

_PORT = 8001
_FILE = """\
name = "{name}"
url = "http://{address}:{port}"

[access]
login = "seminar"
capacity = {room}

[engine]
kind = "swarm"

[server]
project = "{project}"
memory = "1G"
"""
_SERVICES = ("hub", "proxy", "edge", "tunnel")


@dataclass(frozen=True, slots=True)
class SwarmSide:
    """Firstbell, running on every node."""

    url: str
    nodes: Cluster
    folder: Path
    image: str
    """The course's, which this machine's engine has built."""
    name: str = "firstbell"

    def cli(self, *words: str) -> str:
        """Run `firstbell WORDS` on the manager, in the course's folder; its output."""
        return self.nodes.manager.run(FIRSTBELL, *words, cwd=self.folder).stdout

    def fields(self, visitor: int) -> Mapping[str, str]:
        """A seminar asks for nothing."""
        del visitor
        return {}

    def service_cpu(self) -> float:
        """Of hub, proxy, edge and tunnel, and of every node's link."""
        ours = [f"label=firstbell.role={service}" for service in _SERVICES]
        manager = sum(container_cpu(self.nodes.manager, f"label=firstbell.course={prefix()}", one) for one in ours)
        return manager + sum(container_cpu(node, "label=firstbell.role=link") for node in self.nodes.nodes)

    def spread(self) -> list[int]:
        """How many servers run on each node."""
        mine = ("--filter", f"label=firstbell.course={prefix()}", "--filter", "label=firstbell.role=server")
        return [len(node.docker("ps", "--quiet", *mine).split()) for node in self.nodes.nodes]

    def settle(self) -> None:
        """Wait until the hub has compressed the page files of the new image, which begins two minutes after `up`."""
        done = "Page files for the edge"

        def twice() -> bool:
            return self.cli("logs", "hub").count(done) > 1

        wait_until(twice, "the page files to be compressed", deadline=900, pause=5)

    def end_servers(self) -> None:
        """End everybody's server, as if they had all gone; then wait until the hub knows."""
        mine = ("--filter", f"label=firstbell.course={prefix()}", "--filter", "label=firstbell.role=server")
        if found := self.nodes.manager.docker("service", "ls", "--quiet", *mine).split():
            self.nodes.manager.docker("service", "rm", *found)
        wait_until(lambda: not any(self.spread()), "all servers to end", deadline=300)

    def warm(self, seats: int) -> dict[str, Any]:
        """Ring a bell for so many seats. Raises RuntimeError where one does not start."""
        words = ("bell", "now", "--people", str(seats), "--grace", "2h", "--yes", "--json")
        rung: dict[str, Any] = json.loads(self.cli(*words))
        if rung["ready"] < seats:
            raise RuntimeError(f"of {seats} servers {rung['ready']} were started beforehand: {rung}")
        return rung


@contextmanager
def running(nodes: Cluster, *, room: int = 200) -> Iterator[SwarmSide]:
    """`firstbell up` on the manager, `firstbell nodes prepare` for the workers, `firstbell down` at the end."""
    name, manager = prefix(), nodes.manager
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as folder:
        url = f"http://{manager.address}:{_PORT}"
        project = ROOT / "examples/seminar/project"
        text = _FILE.format(name=name, room=room, address=manager.address, port=_PORT, project=project)
        (Path(folder) / "firstbell.toml").write_text(text + NO_KERNELS)
        image = give_images(Path(folder), manager)[-1]
        side = SwarmSide(url, nodes, Path(folder), image)
        try:
            side.cli("up", "--yes")
            for node in nodes.workers:
                side.cli("nodes", "prepare", node.name, "--host", node.host)
            side.settle()
            yield side
        finally:
            manager.run(FIRSTBELL, "down", "--delete-homes", "--yes", "--confirm", name, cwd=Path(folder), check=False)
