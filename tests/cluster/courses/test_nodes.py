"""`docs/how-to/three-machines.md`, word for word: three machines that are no Swarm yet, ssh between them."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster import cluster as new_cluster
from tests.support.cluster_images import give_images
from tests.support.course import FIRSTBELL, PROJECT
from tests.support.ssh import ssh_server

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "three-machines.md"
NAME = "test-nodes"


class Story:
    """Somebody at `node1`, with the page before them."""

    def __init__(self, made: Cluster, folder: Path) -> None:
        self.made = made
        self.folder = folder
        self.addresses = {f"NODE{n + 1}": node.address for n, node in enumerate(made.nodes)}
        self.path = ""

    def follow(self, step: str) -> str:
        """Type what the page says at that step; what was printed, both streams."""
        (block,) = re.findall(rf"<!-- run: {step} -->\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
        said = ""
        for line in block.splitlines():
            said += self.type(line.replace("root@$NODE2", self.ways[0]).replace("root@$NODE3", self.ways[1]))
        return said

    def type(self, line: str) -> str:
        """A line at `node1`; what was printed. Fails if the command does."""
        environment = {**self.addresses, "PATH": f"{FIRSTBELL.parent}:{self.path}"}
        done = self.made.nodes[0].run("sh", "-c", line, cwd=self.folder, environment=environment)
        return done.stdout + done.stderr

    def nodes(self) -> dict[str, dict[str, Any]]:
        """What `nodes list` says, by name."""
        done = self.made.nodes[0].run(FIRSTBELL, "nodes", "list", "--json", cwd=self.folder)
        return {node["name"]: node for node in json.loads(done.stdout)}

    ways: tuple[str, str] = ("", "")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Three machines with Docker; a course of one machine in a folder; sshd on the second and third."""
    folder = tmp_path_factory.mktemp("course")
    with ExitStack() as stack:
        made = stack.enter_context(new_cluster("story", swarm=False))
        told = Story(made, folder)
        lines = [f'name = "{NAME}"', f'url = "http://{made.nodes[0].address}:8000"', "[access]", 'login = "seminar"',
                 "capacity = 6", "[server]", f'project = "{PROJECT}"', 'memory = "512M"']  # fmt: skip
        (folder / "firstbell.toml").write_text("\n".join(lines) + "\n")
        give_images(folder, made.nodes[0])
        servers = [
            stack.enter_context(ssh_server(folder.parent / f"sshd-{node.name}", node.address, node.inside))
            for node in made.nodes[1:]
        ]
        told.ways = (servers[0].address.removeprefix("ssh://"), servers[1].address.removeprefix("ssh://"))
        told.path = _one_ssh(folder.parent, [server.path.partition(":")[0] for server in servers])
        yield told


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
    return f"{target}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.timeout(1200)
def test_from_one_machine_to_three(story: Story) -> None:
    """The page's commands, one after another, make three machines of one; one is drained, used again, and removed."""
    story.follow("begin")
    (file,) = re.findall(r"<!-- file: firstbell.toml -->\n```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with (story.folder / "firstbell.toml").open("a") as toml:
        toml.write(file)
    assert "Ready after" in story.follow("up")
    assert "node3 is ready for courses" in story.follow("prepare")
    assert "no problems" in story.follow("look")
    assert {name: node["usable"] for name, node in story.nodes().items()} == dict.fromkeys(
        ("node1", "node2", "node3"), True
    )
    story.type("firstbell bell now --people 4 --yes")
    spread = story.nodes()
    assert sum(node["servers"] for node in spread.values()) == 4
    # These nodes share one machine's memory, so which of them has most of it free is chance.
    assert sum(node["homes"] for node in spread.values()) == 4
    again = story.type(f"firstbell nodes prepare --host ssh://{story.ways[0]} --json")
    assert "make the courses' networks" in again and "bring" not in again
    _out_of_use(story)


def _out_of_use(story: Story) -> None:
    """Drained, its homes are elsewhere; removed, nothing of ours but the hub's image is left on it."""
    story.follow("drain")
    drained = story.nodes()
    assert (drained["node3"]["servers"], drained["node3"]["homes"], drained["node3"]["usable"]) == (0, 0, True)
    assert sum(node["homes"] for node in drained.values()) == 4
    assert "is no node any more" in story.follow("remove")
    assert sorted(story.nodes()) == ["node1", "node2"]
    node3 = story.made.nodes[2]
    assert node3.docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive"
    assert "firstbell" not in node3.docker("network", "ls", "--format", "{{.Name}}")
    assert "home" not in node3.docker("volume", "ls", "--format", "{{.Name}}")
    socket.create_connection((story.made.nodes[0].address, 8000), timeout=10).close()
