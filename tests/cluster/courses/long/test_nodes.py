"""`docs/how-to/three-machines.md`, word for word: three machines that are no Swarm yet, ssh between them."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firstbell.model.cluster import LINK_PORT
from firstbell.plan.node_facts import SWARM_PORT
from tests.cluster.courses.pages import PATH, HowTo
from tests.support.cluster import Cluster
from tests.support.cluster import cluster as new_cluster
from tests.support.cluster.node import wait
from tests.support.cluster_images import give_images
from tests.support.course import FIRSTBELL, PROJECT
from tests.support.ssh import ssh_server

PAGE = "three-machines.md"
NAME = "test-nodes"


class Story(NamedTuple):
    """Somebody at `node1`, with the page before them."""

    made: Cluster
    page: HowTo

    def nodes(self) -> dict[str, dict[str, Any]]:
        """What `nodes list` says, by name."""
        done = self.made.manager.run(FIRSTBELL, "nodes", "list", "--json", cwd=self.page.folder)
        return {node["name"]: node for node in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Three machines with Docker; a course of one machine in a folder; sshd on the second and third."""
    folder = tmp_path_factory.mktemp("course")
    with ExitStack() as stack:
        made = stack.enter_context(new_cluster("story", swarm=False))
        lines = [f'name = "{NAME}"', f'url = "http://{made.nodes[0].address}:8000"', "[access]", 'login = "seminar"',
                 "capacity = 6", "[server]", f'project = "{PROJECT}"', 'memory = "512M"']  # fmt: skip
        (folder / "firstbell.toml").write_text("\n".join(lines) + "\n")
        give_images(folder, made.nodes[0])
        servers = [
            stack.enter_context(ssh_server(folder.parent / f"sshd-{node.name}", node.address, node.inside))
            for node in made.nodes[1:]
        ]
        path = _one_ssh(folder.parent, [server.path.partition(":")[0] for server in servers])
        ways = {f"root@$NODE{n}": server.address.removeprefix("ssh://") for n, server in enumerate(servers, 2)}
        yield Story(made, HowTo(PAGE, made.manager, folder, {"NODE1": made.manager.address}, ways, path))


def _one_ssh(folder: Path, wrappers: list[str]) -> str:
    """PATH with an ssh that knows every server: each knows its own, by the address in its list of known hosts."""
    target = folder / "bin"
    target.mkdir()
    known, keys = target / "known_hosts", []
    for wrapper in wrappers:
        known.write_text(
            (known.read_text() if known.exists() else "") + (Path(wrapper).parent / "known_hosts").read_text()
        )
        keys.append(f"-i {Path(wrapper).parent}/user_key")
    options = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    (target / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none {" ".join(keys)} {options} "$@"\n')
    (target / "ssh").chmod(0o755)
    return f"{target}:{PATH}"


@pytest.mark.timeout(1800)
def test_from_one_machine_to_three(story: Story) -> None:
    """The page's commands, one after another, make three machines of one; one is drained, used again, and removed."""
    page = story.page
    page.follow("begin")
    page.add("firstbell.toml")
    assert "Ready after" in page.follow("up")
    _ports_closed(story)
    # Whoever had the token of before learns nothing by it, and a machine that joins is given the one of now.
    page.type("docker swarm join-token --rotate --quiet worker")
    assert "node3 is ready for courses" in page.follow("prepare")
    assert "no problems" in page.follow("look")
    assert {name: node["usable"] for name, node in story.nodes().items()} == dict.fromkeys(
        ("node1", "node2", "node3"), True
    )
    page.type("firstbell bell now --people 4 --yes")
    spread = story.nodes()
    assert sum(node["servers"] for node in spread.values()) == 4
    # These nodes share one machine's memory, so which of them has most of it free is chance.
    assert sum(node["homes"] for node in spread.values()) == 4
    again = page.type("firstbell nodes prepare --host ssh://root@$NODE2 --json")
    assert "make the courses' networks" in again and "bring" not in again
    _out_of_use(story)


def _ports_closed(story: Story) -> None:
    """A machine behind a closed port has not joined, and it is said which port to open on which machine."""
    first, second = story.made.nodes[:2]
    for port in (SWARM_PORT, LINK_PORT):
        second.part_from(first.address, port=port)
        told = " ".join(story.page.type("firstbell nodes prepare --host ssh://root@$NODE2", fails=True).split())
        second.heal()
        assert f"port {port} of node1 does not answer" in told
        assert f"next: On node1 allow TCP {port} from node2" in told
    assert sorted(story.nodes()) == ["node1"]


def _out_of_use(story: Story) -> None:
    """Drained, its homes are elsewhere; removed, nothing of ours but the hub's image is left on it."""
    story.page.follow("drain")
    drained = story.nodes()
    assert (drained["node3"]["servers"], drained["node3"]["homes"], drained["node3"]["usable"]) == (0, 0, True)
    assert sum(node["homes"] for node in drained.values()) == 4
    assert "is no node any more" in story.page.follow("remove")
    assert sorted(story.nodes()) == ["node1", "node2"]
    node3 = story.made.nodes[2]
    wait(lambda: node3.docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive", "node3 has left")
    wait(lambda: "firstbell" not in node3.docker("network", "ls", "--format", "{{.Name}}"), "its networks are gone")
    assert "home" not in node3.docker("volume", "ls", "--format", "{{.Name}}")
    socket.create_connection((story.made.manager.address, 8000), timeout=10).close()
