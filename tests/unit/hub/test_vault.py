"""The keeper of the backups: what is due when, what it tells, and at whose pace it works."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.homes import Known
from firstbell.backup.orders import FILE, Orders, State, What
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_cluster import FakeCluster
from firstbell.hub.backups import vault_pace, vault_work
from firstbell.hub.backups.vault import is_left
from firstbell.hub.backups.vault_book import FILE as SNAPSHOTS
from firstbell.hub.backups.vault_book import VaultBook, report_of
from firstbell.hub.backups.vault_pace import Busy, Pace, PacedHomes
from firstbell.hub.backups.vault_work import Vault, due_run
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.service_engine import sweep
from firstbell.model import names
from firstbell.model.backup import Kind, Snapshot, Subject
from firstbell.model.backup_table import BackupTable
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume

HOUR, DAY = 3600.0, 86400.0
ADA, STATE = Subject(Kind.HOME, "ada"), Subject(Kind.STATE)


class Clock:
    """Time that is moved by hand."""

    now = 1_000_000_800.0

    def __call__(self) -> float:
        return self.now


class Homes:
    async def subjects(self) -> tuple[Subject, ...]:
        return (ADA,)


class Backups:
    """As much of a course's backups as the keeper asks for."""

    def __init__(self, clock: Clock) -> None:
        self.table = BackupTable(to="/srv/backup", password=Secret("env:P", "secret word"), every=3600, drill=7 * 86400)
        self.homes = Homes()
        self.own_subjects = (STATE,)
        self.clock = clock
        self.made: tuple[Snapshot, ...] = ()

    async def snapshots(self) -> tuple[Snapshot, ...]:
        return self.made

    async def stored_bytes(self) -> int:
        return 1000 * len(self.made)


class Room:
    """A keeper whose work is done by `ends`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.clock, self.seen = folder, Clock(), 0
        self.orders = Orders(folder / FILE, self.clock)
        self.backups = Backups(self.clock)
        self.record = ActsBook(folder / acts.FILE)
        self.ends: Callable[[What], tuple[State, str, dict[str, Any]]] = lambda _: (State.DONE, "all is well", {})
        monkeypatch.setattr(vault_work, "finish", self.finish)
        self.vault = self.another()

    def another(self) -> Vault:
        async def quiet() -> Busy:
            return Busy()

        backups: Any = self.backups
        return Vault(backups, self.orders, VaultBook(self.folder, self.clock), self.record, Pace(quiet), self.clock)

    async def finish(self, _: Any, orders: Orders, order: Any) -> None:
        state, words, result = self.ends(order.kind)
        if order.kind is What.BACKUP and state is State.DONE:
            time = self.clock.now
            self.backups.made += tuple(
                Snapshot(f"{int(time):x}{one.kind}", time, "demo", one, str(time), True) for one in (ADA, STATE)
            )
        orders.end(order.id, state, words, result)

    async def work(self) -> list[str]:
        """Look until there is nothing to do; what was done."""
        while not await self.vault.look():
            pass
        found = []
        while (one := self.orders.find(self.seen + 1)) and not one.is_open:
            found.append(one.kind.value)
            self.seen += 1
        return found

    def report(self) -> Any:
        return report_of(self.folder)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Of a course that has just got backups."""
    return Room(tmp_path, monkeypatch)


async def test_the_first_backup_is_made_at_once_and_tried(room: Room):
    """Then nothing until the next hour; what there is then, is known to whoever asks the book."""
    assert await room.work() == ["backup", "drill"]
    assert await room.work() == []
    report = room.report()
    assert (report.good, report.homes, report.stored, report.drilled) == (room.clock.now, 1, 2000, room.clock.now)
    book = VaultBook(room.folder)
    (earlier,) = book.earlier("ada")
    assert earlier.is_whole and book.snapshot("ada", earlier.id) == earlier
    assert book.snapshot("bob", earlier.id) is None and book.earlier("bob") == ()


async def test_a_week_has_a_backup_each_hour_and_one_drill(room: Room):
    """By the clock alone."""
    done: list[str] = []
    for _ in range(7 * 24 * 2):
        done += await room.work()
        room.clock.now += 1800
    assert (done.count("backup"), done.count("drill")) == (7 * 24, 1)
    assert room.report().grown is None
    assert await room.work() == ["backup", "drill"]


async def test_a_run_that_left_somebody_out_goes_on_soon(room: Room):
    """Under its own name, so that what it has is not done again; the failure is told until it is over."""
    room.ends = lambda _: (State.FAILED, "not everything is backed up: bob", {"run": "R1"})
    assert await room.work() == ["backup"]
    report = room.report()
    assert report.failure == "not everything is backed up: bob" and not report.good
    room.ends = lambda _: (State.DONE, "", {})
    room.clock.now += 600
    assert await room.work() == []
    room.clock.now += 300
    assert await room.work() == ["backup", "drill"]
    last = room.orders.last(What.BACKUP)
    assert last is not None and last.wish == {"run": "R1"}
    assert room.report().failure == "" and room.report().good == room.clock.now


async def test_a_killed_keeper_leaves_the_work_to_the_next(room: Room):
    """An order that was being done is due again; never two of the same at once."""
    room.orders.add(What.BACKUP)
    order = room.orders.take()
    assert order is not None
    room.vault = room.another()
    assert await room.work() == ["backup", "drill"]
    done = room.orders.find(order.id)
    assert done is not None and done.state is State.DONE


async def test_an_engine_that_is_away_costs_no_order(room: Room):
    """It is due again, and done once the engine is back."""
    finish = room.finish

    async def away(*_: Any) -> None:
        raise OSError("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault_work, "finish", away)
        with pytest.raises(OSError, match="away"):
            await room.vault.look()
        patch.setattr(vault_work, "finish", finish)
        assert await room.work() == ["backup", "drill"]


async def test_a_drill_that_failed_is_told_and_made_again(room: Room):
    """After hours, not after a week."""
    room.ends = lambda kind: (
        (State.FAILED, "the backups are damaged", {}) if kind is What.DRILL else (State.DONE, "", {})
    )
    await room.work()
    assert room.report().drill_failure == "the backups are damaged"
    room.clock.now += 2 * HOUR
    assert "drill" not in await room.work()
    room.ends = lambda _: (State.DONE, "", {"files": 12, "user": "ada"})
    room.clock.now += 5 * HOUR
    assert "drill" in await room.work()
    assert (room.report().drill_failure, room.report().drilled_files) == ("", 12)


async def test_how_a_restore_of_ones_own_ended_is_in_the_record(room: Room):
    """Once, and without a secret."""
    room.ends = lambda kind: (State.FAILED, "secret word\nno", {}) if kind is What.RESTORE else (State.DONE, "", {})
    entry = room.record.restored("ada", "from the backup of today")
    order = room.orders.add(What.RESTORE, {"user": "ada"}, "ada")
    VaultBook(room.folder).note(order.id, entry)
    await room.work()
    rows = [(line.kind, line.who, line.whom, line.result) for line in room.record._record.lines(kinds=["restore"])]
    assert rows == [("restore", "ada", "ada", "failed: *** no")]


async def test_clocks_that_jump_neither_stop_nor_double_backups(tmp_path: Path):
    """Set back, the next one is made at once; set forward, one."""
    clock = Clock()
    orders = Orders(tmp_path / FILE, clock)
    order = orders.add(What.BACKUP)
    assert due_run(orders, clock.now, HOUR) is None
    orders.end(order.id, State.DONE, "")
    assert due_run(orders, clock.now, HOUR) is None
    assert due_run(orders, clock.now - DAY, HOUR) == {} == due_run(orders, clock.now + 365 * DAY, HOUR)


def test_a_damaged_book_is_made_anew(tmp_path: Path):
    """It is kept beside; nothing in it is needed."""
    (tmp_path / SNAPSHOTS).write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    assert VaultBook(tmp_path).report() is None
    assert (tmp_path / SNAPSHOTS).with_suffix(".damaged").exists()


def test_growth_is_told_once_a_week_is_known(tmp_path: Path):
    """Against the last weight that is a week old."""
    clock = Clock()
    book = VaultBook(tmp_path, clock)
    assert book.weigh(100) is None
    clock.now += 7 * DAY
    assert book.weigh(150) == 50
    clock.now += DAY
    assert book.weigh(130) == 30
    with pytest.raises(sqlite3.ProgrammingError):
        book.close()
        book.report()


async def test_people_who_wait_for_a_start_go_first(monkeypatch: pytest.MonkeyPatch):
    """But not for ever: a backup comes to its end, too; what was asked for waits for nobody."""
    looked: list[float] = []
    monkeypatch.setattr(vault_pace, "LOOK", 0.001)

    async def busy() -> Busy:
        looked.append(0)
        return Busy(waiting=1 if len(looked) < 4 else 0)

    pace = Pace(busy)
    await pace.turn()
    assert looked == []
    pace.begin(60)
    await pace.turn()
    assert len(looked) == 4

    async def always() -> Busy:
        looked.append(0)
        return Busy(waiting=1)

    pace = Pace(always)
    pace.begin(0.003)
    await pace.turn()
    assert len(looked) < 10


async def test_helpers_of_a_killed_keeper_are_ended():
    """Those by which people look into their own files go on."""
    engine, course = FakeEngine(), "my-backup"
    engine.images["image:1"] = ImageState("image:1", "sha256:1", size=1)
    ada = names.container(course, Role.HELPER, "ada")
    ended, stay = f"{ada}-backup-kept-backup", [f"{ada}-list-earlier-backup", f"{ada}-coursework-0a1b2c", f"{ada}-home"]
    for name in (ended, *stay):
        labels = frozen(names.labels(course, Role.HELPER))
        await engine.start(ContainerSpec(name=name, image="image:1", command=("sleep", "1000"), labels=labels))
    await sweep(engine, course, is_left, 5)
    assert {state.name for state in (await engine.observe(course)).of_role(Role.HELPER)} == set(stay)


async def test_a_home_made_for_a_restore_is_in_the_hubs_record_at_once(tmp_path: Path):
    """On a cluster: a start that comes right after it would make another one on another node."""
    course = Course.model_validate({"name": "demo", "server": {"image": "i"}, "engine": {"kind": "swarm"}})
    cluster, store = FakeCluster(), PeopleStore(tmp_path / "people.sqlite", b"k" * 32)
    cluster.add_node("node2")
    await cluster.ensure_volume(home_volume(course, "ben", "node1"))

    async def who() -> Known:
        return Known(nodes=store.home_nodes())

    async def quiet() -> Busy:
        return Busy()

    homes = PacedHomes(course, cluster, "i", who, Pace(quiet), tmp_path, store)
    await homes.make("ada", (1000, 1000))
    assert store.home_node("ada") == "node2"
    assert (await homes.place_of(ADA)).node == "node2"
