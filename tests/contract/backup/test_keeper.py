"""Runs of backups with the real restic, in the very containers but for the engine: their mounts and rights alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.containers import Helpers
from firstbell.backup.databases import COPIES
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.keeper import Keeper, Outcome
from firstbell.backup.schedule import whole_course
from firstbell.model.backup import Keep, Kind, Storage, Subject
from firstbell.model.course import Course
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from tests.support.jail import Jail, needs_jail
from tests.support.restic import PASSWORD, fill_home, picture

pytestmark = needs_jail
SERVER: Any = {"image": "x"}
COURSE = Course(name="demo", server=SERVER)
ADA, BOB, EVE = (Subject(Kind.HOME, name) for name in ("ada", "bob", "eve"))
STATE = Subject(Kind.STATE)


class Room:
    """A course's homes in folders, and a keeper of its backups."""

    def __init__(self, folder: Path) -> None:
        self.jail = Jail(folder)
        self.store = folder / "store"
        self.store.mkdir()
        self.time = 0.0
        self.keeper = self.with_password(PASSWORD)

    def with_password(self, password: str) -> Keeper:
        storage = Storage(str(self.store), Secret("env:P", password))
        helpers = Helpers(COURSE, "vault:1", storage, "hub-of-demo")
        return Keeper(helpers, self.jail.engine, clock=lambda: self.time)

    def home(self, subject: Subject) -> Path:
        if subject.kind is Kind.STATE:
            return self.jail.volumes / "firstbell-demo-state"
        return self.jail.volumes / home_volume(COURSE, subject.user).name

    def fill(self, *subjects: Subject) -> None:
        """Homes that belong to people and that nobody else may look into."""
        for number, subject in enumerate(subjects):
            home = fill_home(self.home(subject), seed=number)
            for path in [home, *home.rglob("*")]:
                os.chown(path, 1000 + number, 1000 + number, follow_symlinks=False)
            home.chmod(0o700)

    async def run(self, name: str, *subjects: Subject) -> tuple[Outcome, ...]:
        return await self.keeper.run(name, subjects, lambda _: None)


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    """With a storage that is ready."""
    made = Room(tmp_path)
    assert await made.keeper.prepare() is True
    assert await made.keeper.prepare() is False
    return made


async def test_a_course_comes_back_from_its_storage_alone(room: Room) -> None:
    """Homes of several people and the hub's state, each byte, owner, mode and attribute, onto empty volumes."""
    room.fill(ADA, BOB, STATE)

    def pictures() -> list[object]:
        # Of the state's own folder the time is that of the copies that came and went in it.
        return [picture(room.home(ADA)), picture(room.home(BOB)), *list(picture(room.home(STATE)).items())[1:]]

    before = pictures()
    outcomes = await room.run("1", STATE, BOB, ADA)
    assert [outcome.subject for outcome in outcomes] == [ADA, BOB, STATE] and all(one.is_good for one in outcomes)
    shutil.rmtree(room.jail.volumes)
    found = whole_course(await room.keeper.snapshots(), "demo")
    assert found is not None and {one.subject for one in found.snapshots} == {ADA, BOB, STATE}
    for snapshot in found.snapshots:
        room.home(snapshot.subject).mkdir(parents=True)
        await room.keeper.restore(snapshot)
    assert pictures() == before


async def test_the_hubs_databases_come_back_as_they_were_at_one_moment(room: Room) -> None:
    """While somebody has them open; nothing of the copies stays; owners are the old ones; damage is said."""
    state = room.home(STATE)
    state.mkdir()
    os.chown(state, 64200, 64200)
    with contextlib.closing(sqlite3.connect(state / "people.sqlite")) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("CREATE TABLE t (n)")
        db.execute("INSERT INTO t VALUES (7)")
        db.commit()
        for path in state.iterdir():
            os.chown(path, 64200, 64201)
        (outcome,) = await room.run("1", STATE)
        assert outcome.is_good and not (state / COPIES).exists()
        assert {path.stat().st_uid for path in state.iterdir()} == {64200}
    (snapshot,) = await room.keeper.snapshots()
    shutil.rmtree(state)
    state.mkdir()
    await room.keeper.restore(snapshot)
    assert [path.name for path in state.iterdir()] == ["people.sqlite"]
    owner = (state / "people.sqlite").stat()
    assert (owner.st_uid, owner.st_gid) == (64200, 64201)
    with contextlib.closing(sqlite3.connect(state / "people.sqlite")) as db:
        assert db.execute("SELECT n FROM t").fetchall() == [(7,)]
    content = (state / "people.sqlite").read_bytes()
    (state / "people.sqlite").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    (outcome,) = await room.run("2", STATE)
    assert not outcome.is_good and outcome.summary is not None
    assert [Path(path).name for path in outcome.unreadable] == ["people.sqlite"]
    assert [one.is_whole for one in await room.keeper.snapshots()] == [True, False]


async def test_homes_are_not_changed_by_being_backed_up(room: Room) -> None:
    """Each helper has one home, read-only, and no right beside reading but what the storage's directory needs."""
    room.fill(ADA, BOB)
    before = picture(room.home(ADA))
    await room.run("1", ADA, BOB)
    assert picture(room.home(ADA)) == before
    made = [spec for spec in room.jail.ran if "backup" in spec.command]
    assert [[m.source for m in spec.mounts if m.read_only] for spec in made] == [
        [room.home(one).name] for one in (ADA, BOB)
    ]


async def test_one_home_that_cannot_be_had_costs_nobody_else_theirs(room: Room) -> None:
    """It is an outcome with its reason; the run goes on, and the next one has it first."""
    room.fill(ADA, STATE)
    outcomes = {one.subject: one for one in await room.run("1", ADA, EVE, STATE)}
    assert "missing" in outcomes[EVE].error and not outcomes[EVE].is_good
    assert outcomes[ADA].is_good and outcomes[STATE].is_good
    room.fill(EVE)
    assert [one.subject for one in await room.run("1", ADA, EVE, STATE)] == [EVE]


async def test_a_run_goes_on_where_it_was_killed(room: Room) -> None:
    """At whichever step: what it has is not made again once it is marked, and in the end all is there and sound."""
    subjects = (ADA, BOB, EVE, STATE)
    room.fill(*subjects)
    # Whoever is at work renews a lock; of these ten minutes later none was.
    room.time, killed = 4e9, 0
    for verb, seconds in (("snapshots", 0.05), ("backup", 0.05), ("tag", 0.05), ("backup", 0.9), ("tag", 0.9)):
        room.jail.kill_after = {verb: seconds}
        try:
            await room.run("1", *subjects)
        except KeyboardInterrupt:
            killed += 1
    assert killed >= 3
    room.jail.kill_after = {}
    await room.run("1", *subjects)
    assert await room.run("1", *subjects) == ()
    await room.keeper.check()
    assert {one.subject for one in await room.keeper.snapshots() if one.is_whole} == set(subjects)


async def test_old_ones_go_and_the_last_good_stays(room: Room) -> None:
    """Of three runs in an hour the last stays; whoever has not been in it keeps theirs."""
    room.fill(ADA, BOB)
    for run in ("1", "2", "3"):
        (room.home(ADA) / "diary").write_text(run)
        assert all(one.is_good for one in await room.run(run, *((ADA, BOB) if run == "1" else (ADA,))))
    assert await room.keeper.thin(Keep(0, 0, 0, 0), UTC) == 2
    assert [(one.subject, one.run) for one in await room.keeper.snapshots()] == [(BOB, "1"), (ADA, "3")]
    assert await room.keeper.thin(Keep(0, 0, 0, 0), UTC) == 0
    await room.keeper.check()


async def test_a_home_cannot_lead_a_restore_astray(room: Room) -> None:
    """A folder that has become a link into the storage: nothing is written there, and every backup is still good."""
    room.fill(ADA, BOB)
    (room.home(ADA) / "trap").mkdir()
    (room.home(ADA) / "trap" / "config").write_text("not the storage's own")
    await room.run("1", ADA, BOB)
    shutil.rmtree(room.home(ADA) / "trap")
    (room.home(ADA) / "trap").symlink_to("/backup")
    config = (room.store / "config").read_bytes()
    snapshot = next(one for one in await room.keeper.snapshots() if one.subject == ADA)
    with contextlib.suppress(BackupFailed):
        await room.keeper.restore(snapshot, ("trap/config",))
    assert (room.store / "config").read_bytes() == config
    await room.keeper.check()


async def test_a_drill_reads_all_and_touches_nobody(room: Room) -> None:
    """It counts what it compared, sees no home, and finds what the storage has lost."""
    room.fill(ADA)
    (outcome,) = await room.run("1", ADA)
    before = picture(room.home(ADA))
    (snapshot,) = await room.keeper.snapshots()
    assert outcome.summary and await room.keeper.drill(snapshot) == outcome.summary.files
    assert picture(room.home(ADA)) == before and all(m.read_only for m in room.jail.ran[-1].mounts)
    biggest = max((path for path in (room.store / "data").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    content = biggest.read_bytes()
    biggest.chmod(0o600)
    biggest.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    with pytest.raises(BackupFailed) as caught:
        await room.keeper.drill(snapshot)
    assert caught.value.trouble is Trouble.DAMAGED


async def test_a_wrong_password_stops_a_run_at_once(room: Room) -> None:
    """Nothing is made in a storage that is somebody else's."""
    room.fill(ADA)
    stranger = room.with_password("wrong")
    for attempt in (stranger.prepare(), stranger.run("1", [ADA], lambda _: None), stranger.thin(Keep(), UTC)):
        with pytest.raises(BackupFailed) as caught:
            await attempt
        assert caught.value.trouble is Trouble.WRONG_PASSWORD
    assert await room.keeper.snapshots() == ()


async def test_of_another_course_nothing_is_forgotten(room: Room) -> None:
    """Two courses may keep their backups in one storage."""
    room.fill(STATE)
    other = replace(STATE)
    helpers = Helpers(
        Course(name="other", server=SERVER), "vault:1", Storage(str(room.store), Secret("", PASSWORD)), "x"
    )
    shutil.copytree(room.home(STATE), room.jail.volumes / "firstbell-other-state", symlinks=True, ignore=_no_pipes)
    keeper = Keeper(helpers, room.jail.engine)
    for run in ("1", "2"):
        await keeper.run(run, [other], lambda _: None)
    await room.run("1", STATE)
    assert await room.keeper.thin(Keep(0, 0, 0, 0), UTC) == 0
    assert await keeper.thin(Keep(0, 0, 0, 0), UTC) == 1


def _no_pipes(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if Path(folder, name).is_fifo()}
