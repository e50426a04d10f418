"""The keeper of the backups with the real restic, in jails instead of containers: by itself, killed, and on drill."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.backups import Backups
from firstbell.backup.homes import Known
from firstbell.backup.orders import FILE, Orders, What
from firstbell.hub.backups.vault_book import VaultBook
from firstbell.hub.backups.vault_pace import Busy, Pace, PacedHomes
from firstbell.hub.backups.vault_work import Vault
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.model import names
from firstbell.model.backup_report import BackupReport
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from tests.support.jail import needs_jail
from tests.support.jail_engine import JailEngine, Killed
from tests.support.restic import PASSWORD, fill_home, picture

pytestmark = needs_jail
PEOPLE = ("ada", "bob", "eve")
WEEK = 7 * 86400.0


class House:
    """A course's hub as far as its keeper needs one; `now` is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.jail = JailEngine(folder / "jail")
        self.store = folder / "store"
        self.store.mkdir()
        backup = {"to": str(self.store), "password": Secret("env:P", PASSWORD), "every": 3600}
        self.course = Course.model_validate({"name": "demo", "server": {"image": "x"}, "backup": backup})
        self.state = self.jail.volumes / names.volume("demo", Role.STATE)
        self.ahead = 0.0

    async def fill(self) -> None:
        await self.jail.ensure_volume(VolumeSpec(self.state.name, frozen(names.labels("demo", Role.STATE))))
        for number, user in enumerate(PEOPLE):
            await self.jail.ensure_volume(home_volume(self.course, user))
            fill_home(self.home(user), seed=number)

    def home(self, user: str) -> Path:
        return self.jail.volumes / home_volume(self.course, user).name

    def vault(self) -> Vault:
        """A new one, as after the one before was killed."""

        async def who() -> Known:
            return Known()

        async def at_work() -> Busy:
            return Busy(servers=1)

        pace = Pace(at_work)
        store = PeopleStore(self.jail.volumes.parent / "people.sqlite", b"k" * 32)
        homes = PacedHomes(self.course, self.jail.engine, "x", who, pace, self.state, store)
        return Vault(
            Backups(self.course, self.jail.engine, "x", homes, clock=self.clock),
            Orders(self.state / FILE, self.clock),
            VaultBook(self.state, self.clock),
            ActsBook(self.state / acts.FILE),
            pace,
            self.clock,
        )

    def clock(self) -> float:
        return time.time() + self.ahead

    def report(self) -> BackupReport:
        found = VaultBook(self.state).report()
        assert found is not None
        return found


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """Three people at work."""
    made = House(tmp_path)
    await made.fill()
    return made


def spoil(packs: Iterable[Path]) -> None:
    """Flip a bit of every piece of a file's content, wherever it begins."""
    for pack in tuple(packs):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        for place in range(50, len(content) - 2000, 500):
            content[place] ^= 1
        pack.write_bytes(content)


async def work(vault: Vault) -> None:
    while not await vault.look():
        pass


async def test_a_week_later_a_home_is_restored_elsewhere_bit_for_bit(house: House) -> None:
    """Fault 37: by itself; what the storage has lost by then is found, and said with the next step."""
    vault, before = house.vault(), picture(house.home("ada"))
    await work(vault)
    first = house.report()
    assert first.homes == 3 and first.good and not first.failure and first.stored > 100_000
    assert first.drilled and first.drilled_user in PEOPLE and first.drilled_files > 10
    assert picture(house.home("ada")) == before
    assert {one.is_whole for user in PEOPLE for one in VaultBook(house.state).earlier(user)} == {True}
    spoil(path for path in (house.store / "data").rglob("*") if path.is_file() and path.stat().st_size > 30_000)
    house.ahead = WEEK + 3600
    await work(house.vault())
    assert house.report().drilled > first.drilled and "damaged" in house.report().drill_failure


async def test_killed_at_random_the_next_keeper_goes_on(house: House) -> None:
    """Fault 35: any helper of a run cut at any moment; every time the next one's run has everything and is whole."""
    chance = random.Random(int(os.environ.get("FIRSTBELL_SEED", "35")))
    await work(house.vault())
    killed = 0
    for _ in range(int(os.environ.get("FIRSTBELL_KILLS", "4"))):
        house.ahead += 3600
        before = {user: VaultBook(house.state).earlier(user)[0].at for user in PEOPLE}
        for user in PEOPLE:
            (house.home(user) / "today.txt").write_text(str(house.ahead))
        verb = chance.choice(["backup", "tag", "snapshots", "forget"])
        house.jail.kill_after = {verb: chance.uniform(0.01, 0.6)}
        try:
            await work(house.vault())
        except Killed:
            killed += 1
        house.jail.kill_after = {}
        await work(house.vault())
        assert not house.report().failure and house.report().homes == 3
        newest = {user: VaultBook(house.state).earlier(user)[0] for user in PEOPLE}
        assert all(one.is_whole and one.at > before[user] for user, one in newest.items())
    assert killed
    last = Orders(house.state / FILE).last(What.CHECK)
    assert last is None
    Orders(house.state / FILE, house.clock).add(What.CHECK)
    await work(house.vault())
    assert house.report().checked and not house.report().check_failure


async def test_a_storage_that_is_full_or_gone_is_said_until_it_is_back(house: House, tmp_path: Path) -> None:
    """In words, without the password; the next try after it is back is good."""
    house.store.rename(tmp_path / "away")
    vault: Any = house.vault()
    await work(vault)
    report = house.report()
    assert report.failure and PASSWORD not in report.failure and not report.good
    (tmp_path / "away").rename(house.store)
    house.ahead = 900
    await work(vault)
    assert not house.report().failure and house.report().good
