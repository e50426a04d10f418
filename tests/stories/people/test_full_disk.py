"""Fault 10: the disk of the hub's state and log is full."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firstbell.hub.records.check import check
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Record
from tests.support.class_hub import PASSWORD, class_hub
from tests.support.disk import MIB, filled, small_disk
from tests.support.local_hub import Browser, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

PEOPLE = "grace,Grace Hopper,,instructor,\nada,Ada Lovelace,,student,A\nbob,Bob Kahn,,student,B\n"
TIMES = 8
BLOCK = 4096
"""Bytes; the file system's own are no larger."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 64 * MIB) as disk:
        yield disk


async def test_logins_survive_a_full_disk(disk: Path) -> None:
    """Whoever is in stays in, whoever comes gets in, and with room again the record has all of them."""
    async with class_hub(disk, 232, PEOPLE, seconds=0.05) as hub:
        ada = hub.browser("ada")
        hub.browser("bob")
        state = disk / "state"
        wait_for(lambda: logins(state, "bob") == 1)
        for file in state.glob("*.sqlite"):
            with closing(sqlite3.connect(file)) as db:  # else there is room in what was written before
                assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        log = disk / "hub.log"
        with log.open("ab") as last:  # to the end of its last block: the log takes nothing more either
            last.write(b"\n" * (-log.stat().st_size % BLOCK))
        with filled(disk):
            for _ in range(TIMES):
                bob = Browser(hub.url)
                assert bob.form("/hub/login", username="bob", password=PASSWORD).status_code == 302
                assert bob.name() == "bob"
                assert ada.get("/hub/home").status_code == 200
            assert logins(state, "bob") == 1
        wait_for(lambda: logins(state, "bob") == TIMES + 1)
        with closing(Record(state / FILE)) as record:
            assert check(record.db).found == ()


def logins(state: Path, user: str) -> int:
    with closing(Record(state / FILE)) as record:
        return len(record.lines(of=user, kinds=("login",)))
