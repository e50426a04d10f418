"""A real course on a cluster, brought up on its manager by the real command; see `course.py` for one machine's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.model.names import LABEL_COURSE, LABEL_ROLE, LABEL_USER
from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait
from tests.support.cluster_images import give_images
from tests.support.course import FIRSTBELL, RunningCourse, write_course
from tests.support.listening import free_port


@dataclass(frozen=True)
class ClusterCourse(RunningCourse):
    """A course folder whose course is up on a cluster; `cli` runs as on the manager."""

    cluster: Cluster

    def cli(
        self, *words: str, check: bool = True, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `firstbell WORDS` in the course's folder, on the manager."""
        return self.cluster.manager.run(
            str(FIRSTBELL), *words, check=check, cwd=self.folder, environment=environment, stdin=stdin
        )

    def containers(self, role: str, *, everything: bool = False) -> dict[Node, list[dict[str, Any]]]:
        """`docker inspect` of what runs in that role, by node that is on; of what has ended, too, if asked."""
        return {node: _inspect(node, self.name, role, everything) for node in self.cluster.nodes if node.pid}

    def servers(self) -> list[dict[str, Any]]:
        """`docker inspect` of every server on every node."""
        return [found for each in self.containers("server", everything=True).values() for found in each]

    def where(self) -> dict[str, list[Node]]:
        """User → the nodes on which a server of theirs runs: one, but for trouble."""
        found: dict[str, list[Node]] = {}
        for node, servers in self.containers("server").items():
            for server in servers:
                found.setdefault(server["Config"]["Labels"][LABEL_USER], []).append(node)
        return found

    def node_of(self, user: str) -> Node:
        """The one node on which the user's server runs."""
        (node,) = self.where()[user]
        return node

    def mend(self) -> None:
        """Every node on and plugged in, ready in the Swarm and linked to the others."""
        self.cluster.mend()
        wait(self._is_linked, "every node is linked again")

    def _is_linked(self) -> bool:
        listed = self.cli("nodes", "list", "--json", check=False)
        nodes = json.loads(listed.stdout) if listed.returncode == 0 else []
        return {node["name"] for node in nodes if node["usable"]} >= {node.name for node in self.cluster.nodes}

    def service(self, name: str) -> str:
        """The service of hub, proxy, edge, guard or tunnel."""
        return self.container(name)


def _inspect(node: Node, course: str, role: str, everything: bool) -> list[dict[str, Any]]:
    filters = [f"--filter=label={LABEL_COURSE}={course}", f"--filter=label={LABEL_ROLE}={role}"]
    found = node.docker("ps", "--quiet", *(["--all"] if everything else []), *filters).split()
    inspected: list[dict[str, Any]] = json.loads(node.docker("inspect", *found, check=False)) if found else []
    return inspected


@contextmanager
def running_on(
    cluster: Cluster, folder: Path, name: str, *, environment: Mapping[str, str] | None = None, **tables: str
) -> Iterator[ClusterCourse]:
    """A course brought up on all nodes and, at the end, removed with its homes."""
    tables["rest"] = '[engine]\nkind = "swarm"\n' + tables.get("rest", "")
    url = f"http://{cluster.manager.address}:{free_port()}"
    write_course(folder, name, **{**tables, "top": f'url = "{url}"\n' + tables.get("top", "")})
    course = ClusterCourse(folder, name, url, cluster)
    give_images(folder, cluster.manager)
    # Homes in a shared directory are not the course's to delete.
    down = ("down", *(("--yes",) if "store =" in tables["rest"] else ("--delete-homes", "--confirm", name)))
    try:
        course.cli("up", "--yes", environment=environment)
        prepare(course)
        yield course
    except BaseException:
        course.cli(*down, check=False, environment=environment)
        raise
    course.mend()
    course.cli(*down, environment=environment)


def prepare(course: ClusterCourse) -> None:
    """Make every node one for courses that is none yet."""
    nodes = json.loads(course.cli("nodes", "list", "--json").stdout)
    unprepared = {node["name"] for node in nodes if not node["number"]}
    for node in course.cluster.nodes:
        if node.name in unprepared:
            course.cli("nodes", "prepare", node.name, "--host", node.host)


def is_on_one_node(course: ClusterCourse, user: str) -> bool:
    """Whether exactly one server of the user runs, on whichever node."""
    return len(course.where().get(user, [])) == 1


def evidence(course: ClusterCourse) -> str:
    """What the hub said last and what every node runs, for a test that fails."""
    manager = course.cluster.manager
    logs = f"docker service logs --raw --tail 60 {course.service('hub')} 2>&1"  # a hub says most of it on stderr
    said = manager.run("sh", "-c", logs, check=False).stdout
    services = manager.docker("service", "ls", check=False)
    status = course.cli("status", "--json", check=False).stdout
    return os.linesep.join((said, services, str(course.cluster.states()), str(course.where()), status))
