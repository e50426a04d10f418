"""Backups on another machine by SFTP: a real sshd, a real restic, in the very containers but for the engine."""

from __future__ import annotations

import getpass
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.containers import Helpers
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.keeper import Keeper
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.course import Course
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from tests.support.jail import Jail, needs_jail
from tests.support.restic import PASSWORD, fill_home, picture
from tests.support.ssh import ssh_server

pytestmark = needs_jail
SERVER: Any = {"image": "x"}
COURSE = Course(name="demo", server=SERVER)
ADA = Subject(Kind.HOME, "ada")


def _keeper(jail: Jail, storage: Storage) -> Keeper:
    return Keeper(Helpers(COURSE, "vault:1", storage, "hub-of-demo"), jail.engine)


async def test_a_home_goes_to_another_machine_and_back(tmp_path: Path) -> None:
    """With the key of the course file; a server that is another one, or does not know us, is said, and gets nothing."""
    jail = Jail(tmp_path)
    home = fill_home(jail.volumes / home_volume(COURSE, "ada").name)
    with ssh_server(tmp_path / "ssh") as server:
        port = server.address.rpartition(":")[2]
        storage = Storage(
            f"sftp://{getpass.getuser()}@127.0.0.1:{port}/{tmp_path}/store",
            Secret("env:P", PASSWORD),
            ssh_key=Secret("file:key", (tmp_path / "ssh" / "user_key").read_text().removesuffix("\n")),
            host_key=" ".join((tmp_path / "ssh" / "host_key.pub").read_text().split()[:2]),
        )
        keeper, before = _keeper(jail, storage), picture(home)
        await keeper.prepare()
        (outcome,) = await keeper.run("1", [ADA], lambda _: None)
        assert outcome.is_good
        (snapshot,) = await keeper.snapshots()
        shutil.rmtree(home)
        home.mkdir()
        await keeper.restore(snapshot)
        assert picture(home) == before
        stranger = " ".join((tmp_path / "ssh" / "user_key.pub").read_text().split()[:2])
        for wrong in (replace(storage, host_key=stranger), storage):
            with pytest.raises(BackupFailed) as caught:
                await _keeper(jail, wrong).snapshots()
            # restic does not always wait for ssh's last words, which say that it was not let in.
            assert caught.value.trouble in {Trouble.FORBIDDEN, Trouble.NETWORK}, caught.value.evidence
            server.forget_key()
