"""Whether the nodes of a cluster have the storage of the hub's node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstbell.backup.containers import Helpers
from firstbell.backup.failure import BackupFailed
from firstbell.backup.homes import Place
from firstbell.backup.same_storage import SameStorage
from firstbell.errors import EngineUnavailable, HomeAway, HomeMissing
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.observed import RunResult
from firstbell.model.secret import Secret

COURSE = Course.model_validate({"name": "demo", "server": {"image": "x"}, "engine": {"kind": "swarm"}})
HOMES = {"ada": "node1", "bob": "node2", "eve": "node3", "dan": "node4", "cem": "node5"}


class Machine:
    """A node's daemon: `id` is of the storage in its directory, empty where the directory is empty."""

    def __init__(self, identity: str | None) -> None:
        self.id = identity
        self.ran = 0

    async def run(self, spec: ContainerSpec, deadline: float = 0) -> RunResult:
        """Restic's answer to `cat config`."""
        assert deadline and spec.command[-3:] == ("cat", "config", "--no-lock")
        self.ran += 1
        if self.id == "silent":
            raise EngineUnavailable("it does not answer")
        if self.id is None:
            raise HomeMissing("a directory or volume cannot be had")
        if not self.id:
            return RunResult(
                1, b"", b"Fatal: unable to open config file: Is there a repository at the following location?"
            )
        return RunResult(0, json.dumps({"version": 2, "id": self.id}).encode(), b"")


class Homes:
    """Each on a node; the hub is on the first."""

    def __init__(self) -> None:
        self.machines = {"node1": Machine("a"), "node2": Machine("a"), "node3": Machine("b"), "node4": Machine(""),
                         "node5": Machine(None)}  # fmt: skip

    async def place_of(self, subject: Subject) -> Place:
        """Where it is."""
        node = HOMES.get(subject.user, "node1")
        engine: Any = self.machines[node]
        return Place(engine, node)


def same_storage(homes: Homes, to: str = "/srv/backup") -> SameStorage:
    known: Any = homes
    return SameStorage(Helpers(COURSE, "vault:1", Storage(to, Secret("env:P", "word")), "hub"), known)


async def test_a_directory_that_is_another_one_on_a_node_is_refused_with_the_nodes_name() -> None:
    """Also an empty one, and none; where it is the same, and on the hub's own node, the home is had."""
    homes = Homes()
    same = same_storage(homes)
    for user in ("ada", "bob"):
        engine: Any = homes.machines[HOMES[user]]
        assert await same.engine_of(Subject(Kind.HOME, user)) is engine
    for user in ("eve", "dan", "cem"):
        with pytest.raises(BackupFailed) as caught:
            await same.engine_of(Subject(Kind.HOME, user))
        assert caught.value.where == f"/srv/backup on {HOMES[user]}"
        assert "Mount the same one on every node" in caught.value.next_step
    for _ in range(2):
        await same.engine_of(Subject(Kind.HOME, "bob"))
    assert [machine.ran for machine in homes.machines.values()] == [1] * 5


async def test_a_node_that_falls_silent_is_a_home_that_is_away() -> None:
    """No failure of the whole run; it is asked again."""
    homes = Homes()
    same = same_storage(homes)
    homes.machines["node2"].id = "silent"
    with pytest.raises(HomeAway) as caught:
        await same.engine_of(Subject(Kind.HOME, "bob"))
    assert caught.value.where == "node2"
    homes.machines["node2"].id = "a"
    await same.engine_of(Subject(Kind.HOME, "bob"))


async def test_a_storage_that_is_elsewhere_is_the_same_for_all() -> None:
    """Nobody is asked."""
    homes = Homes()
    same = same_storage(homes, "sftp:me@backup.example.org:/store")
    for user in HOMES:
        await same.engine_of(Subject(Kind.HOME, user))
    assert not any(machine.ran for machine in homes.machines.values())
