"""A run of backups over the nodes of a cluster, one of which falls silent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstbell.backup.containers import Helpers
from firstbell.backup.failure import BackupFailed
from firstbell.backup.keeper import Keeper, Outcome
from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.observed import RunResult
from firstbell.model.secret import Secret

COURSE = Course.model_validate({"name": "demo", "server": {"image": "x"}, "engine": {"kind": "swarm"}})
PEOPLE = [Subject(Kind.HOME, user) for user in ("ada", "bob", "eve")]


class Machine:
    """A node's daemon, in which every backup is a good one, as long as it answers."""

    def __init__(self, *, is_silent: bool = False, says: bytes = b"") -> None:
        self.is_silent = is_silent
        self.says = says
        self.did: list[str] = []

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 0) -> RunResult:
        """As restic answers."""
        if self.is_silent:
            raise EngineUnavailable("it does not answer")
        if self.says:
            return RunResult(1, b"", self.says)
        verb = next(word for word in spec.command if word in {"snapshots", "backup", "tag"})
        self.did.append(verb)
        summary = {
            "message_type": "summary", "snapshot_id": "5a", "total_files_processed": 1, "total_bytes_processed": 1,
            "data_added": 1, "total_duration": 1.0,
        }  # fmt: skip
        return RunResult(0, json.dumps({"snapshots": [], "backup": summary, "tag": None}[verb]).encode())


def keeper_of(own: Machine, others: dict[str, Machine]) -> Keeper:
    """The hub is on `own`, and with it everybody who is on no other."""
    engine: Any = own
    nodes: dict[str, Any] = {**others}

    async def engine_of(subject: Subject) -> Engine:
        found: Engine = nodes.get(subject.user, engine)
        return found

    storage = Storage("sftp:me@backup.example.org:/store", Secret("env:P", "word"))
    return Keeper(Helpers(COURSE, "vault:1", storage, "hub"), engine, engine_of)


async def test_a_node_that_falls_silent_costs_its_own_people_their_backup_alone() -> None:
    """They are named; all others are backed up and marked in the same run."""
    own, silent = Machine(), Machine(is_silent=True)
    told: list[Outcome] = []
    outcomes = await keeper_of(own, {"ada": silent}).run("1", PEOPLE, told.append)
    assert [(one.subject.user, one.is_good) for one in outcomes] == [("ada", False), ("bob", True), ("eve", True)]
    assert "it does not answer" in outcomes[0].error and tuple(told) == outcomes
    assert own.did == ["snapshots", "backup", "backup", "tag"]


async def test_a_node_that_does_not_reach_the_storage_fails_for_its_own_people() -> None:
    """What is wrong with the storage itself, or on the hub's own node, fails for all at once."""
    own, cut = Machine(), Machine(says=b"dial tcp 10.0.0.9:22: connect: no route to host")
    outcomes = await keeper_of(own, {"bob": cut}).run("1", PEOPLE, lambda _: None)
    assert [one.subject.user for one in outcomes if one.is_good] == ["ada", "eve"]
    assert "on the home's own node" in outcomes[1].error and "does not answer" in outcomes[1].error
    full = Machine(says=b"sftp: write: no space left on device")
    with pytest.raises(BackupFailed, match="no space left where the backups are"):
        await keeper_of(own, {"bob": full}).run("1", PEOPLE, lambda _: None)


async def test_the_hubs_own_engine_is_waited_for() -> None:
    """Where it is away nothing is anybody's outcome: the run is made again."""
    own = Machine()
    keeper = keeper_of(own, {})

    def then_silent(_: Outcome) -> None:
        own.is_silent = True

    with pytest.raises(EngineUnavailable):
        await keeper.run("1", PEOPLE, then_silent)
