"""Bells under a fake clock, with a hub that can be killed: nothing is lost, nothing doubled, nobody disturbed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import HubAway, MachineNow, People, Seen, machine_now
from firstbell.hub.bells.ringer import Ringer
from firstbell.hub.bells.values import SEATS_AT_ONCE, At
from firstbell.hub.people.book import PeopleStore
from firstbell.model.container import GIB, MIB
from firstbell.model.course import Course
from firstbell.plan.bell_forecast import Pressure
from firstbell.plan.bells import Occurrence
from firstbell.plan.memory_room import MachineMemory

START = dt.datetime(2026, 6, 10, 6, 0, tzinfo=dt.UTC).timestamp()  # a Wednesday, eight o'clock in Berlin
BELL = {"at": "09:00", "days": ["wed"], "name": "lecture", "lead": "5m", "grace": "10m"}
ROSTER = "username,section\nada,A\nben,A\ncleo,B\n"
PLENTY = MachineNow(MachineMemory(16 * GIB, 12 * GIB), Pressure())


class FakeHub:
    """Servers take two looks to start; the hub can be killed, which forgets those that start."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.running: dict[str, Seen] = {}
        self.starting: dict[str, int] = {}
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.seats = 0
        self.is_away = False
        self.fails: set[str] = set()

    def servers(self) -> dict[str, Seen]:
        return self.running | {user: Seen(self.world.now) for user in self.starting}

    async def start(self, user: str) -> bool:
        self._answer()
        if user in self.running:
            return False
        self.started.append(user)
        self.starting.setdefault(user, 2)
        return True

    async def stop(self, user: str) -> bool:
        self._answer()
        self.stopped.append(user)
        self.running.pop(user, None)
        return True

    async def make(self, *, seats: int = 0, names: Sequence[str] = ()) -> list[str]:
        self._answer()
        if seats > SEATS_AT_ONCE:
            raise HubAway("the hub answered 400 when asked for seats")
        made = [f"seat-{self.seats + n + 1:03}" for n in range(seats)]
        self.seats += seats
        return list(names) or made

    def _answer(self) -> None:
        if self.is_away:
            raise HubAway("killed")

    def work_on(self) -> None:
        """The hub's own process: starts go on, and the spawner writes what became of them."""
        for user in list(self.starting):
            self.starting[user] -= 1
            if self.starting[user] <= 0:
                del self.starting[user]
                if user in self.fails:
                    self.world.book.has_failed(user, "image missing")
                else:
                    self.running[user] = Seen(self.world.now)
                    self.world.book.is_ready(user)

    def kill(self) -> None:
        """SIGKILL: starts are forgotten, running servers stay."""
        self.starting.clear()


class World:
    """A course with its clock, its hub, and a service that can be replaced at any moment."""

    def __init__(self, folder: Path, *bells: dict[str, object], login: str = "roster", **access: object) -> None:
        self.now = START
        self.folder = folder
        self.course = Course(
            name="demo",
            time_zone="Europe/Berlin",
            access={"login": login, "capacity": 10, **access},
            server={"image": "x"},
            bell=[BELL | bell for bell in bells],
        )
        self.store = PeopleStore(folder / "people.sqlite", b"k" * 32)
        self.store.keep("roster", ROSTER)
        self.book = BellBook(folder / "bells.sqlite", now=lambda: self.now)
        self.hub = FakeHub(self)
        self.machine = PLENTY
        self.restart()

    def restart(self) -> None:
        """Another service process, which knows nothing but the files."""
        self.ringer = Ringer(
            self.course,
            BellBook(self.folder / "bells.sqlite", now=lambda: self.now),
            self.hub,
            People(self.course, self.store),
            machine=lambda: self.machine,
            slots=4,
            now=lambda: self.now,
        )

    async def until(self, clock: str) -> None:
        """Look again and again until that time of the day in Berlin: every second where something may happen."""
        hour, minute, *second = map(int, clock.split(":"))
        end = START + (hour - 8) * 3600 + minute * 60 + (second[0] if second else 0)
        while self.now < end:
            is_calm = self.now < START + 54 * 60 or not (self.hub.starting or self.book.active())
            self.now = min(end, self.now + (20 if is_calm else 1))
            self.hub.work_on()
            await self.ringer.look()

    def states(self) -> dict[str, str]:
        return {place.username: place.state.value for place in self.book.places(*At)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, {})


async def test_servers_run_by_the_bell_and_not_before_their_time(world: World):
    """Nothing happens until the lead; then everybody of the roster has one server; after the grace none is left."""
    await world.until("08:54:59")
    assert world.hub.started == []
    await world.until("08:56")
    assert sorted(world.hub.running) == sorted(world.hub.started) == ["ada", "ben", "cleo"]
    await world.until("09:09:59")
    assert world.hub.stopped == []
    await world.until("09:11")
    assert sorted(world.hub.stopped) == ["ada", "ben", "cleo"]
    assert world.states() == {}
    [ring] = world.book.rings()
    assert (ring.state, ring.wanted, ring.ready, ring.taken) == ("over", 3, 3, 0)


async def test_who_comes_keeps_their_server(world: World):
    """By a login that the hub notices, or by activity that the server reports; also long after the grace."""
    await world.until("08:56")
    world.book.arrived("ada")
    world.hub.running["ben"] = Seen(world.now + 100)
    await world.until("09:30")
    assert world.hub.stopped == ["cleo"]
    assert sorted(world.hub.running) == ["ada", "ben"]


async def test_a_server_that_makes_itself_ready_is_not_used_by_anybody(world: World):
    """What it does in its first minute, a kernel being made among it, is not its person's activity."""
    await world.until("08:55:10")
    world.hub.running["ada"] = Seen(world.now + 30)
    await world.until("09:11")
    assert "ada" in world.hub.stopped


async def test_somebody_at_work_before_the_bell_is_never_touched(world: World):
    """Their server is not started again, and not stopped."""
    world.hub.running["ada"] = Seen(START)
    await world.until("09:30")
    assert "ada" not in world.hub.started + world.hub.stopped


async def test_who_leaves_before_the_bell_is_not_started_again(world: World):
    """They came, worked and stopped their server themselves."""
    await world.until("08:56")
    world.book.arrived("ada")
    del world.hub.running["ada"]
    await world.until("09:05")
    assert world.hub.started.count("ada") == 1


async def test_a_section_is_rung_alone(tmp_path: Path):
    """Only its people; somebody who joins it after the bell has begun is started, too."""
    world = World(tmp_path, {"who": "section:A"})
    await world.until("08:56")
    assert sorted(world.hub.running) == ["ada", "ben"]
    world.store.keep("roster", ROSTER + "dora,A\n")
    await world.until("08:58")
    assert sorted(world.hub.running) == ["ada", "ben", "dora"]


@pytest.mark.parametrize("kill_after", range(0, 12, 2))
async def test_hub_and_service_killed_anywhere_in_the_middle(tmp_path: Path, kill_after: int):
    """All are ready in the end, and no server was started while it ran."""
    world = World(tmp_path, {})
    world.ringer._slots_here = 1  # one after the other, so that there are many middles
    await world.until(f"08:55:{kill_after:02}")
    world.hub.kill()
    ready = set(world.hub.running)
    world.hub.started.clear()
    world.restart()
    await world.until("08:57")
    assert sorted(world.hub.running) == ["ada", "ben", "cleo"]
    assert not ready & set(world.hub.started)
    assert sorted(world.hub.started) == sorted({"ada", "ben", "cleo"} - ready)


async def test_a_server_whose_readiness_was_not_written_is_found(world: World):
    """The disk was full, or the hub was killed, in the moment between the start's end and the book."""
    await world.until("08:55:01")
    for user in list(world.hub.starting):
        del world.hub.starting[user]
        world.hub.running[user] = Seen(world.now, is_up=True)
    await world.until("08:56")
    assert sorted(world.hub.started) == ["ada", "ben", "cleo"]
    assert set(world.states().values()) == {"ready"}


async def test_a_hub_that_does_not_answer_is_asked_again(world: World):
    """An order that never reached it is no failure of the server."""
    world.hub.is_away = True
    with pytest.raises(HubAway):
        await world.until("08:55:05")
    world.hub.is_away = False
    await world.until("08:56")
    assert sorted(world.hub.running) == ["ada", "ben", "cleo"]


async def test_a_machine_that_comes_back_after_the_bell_still_starts_the_servers(world: World):
    """Off from half past eight, on again five minutes after the bell."""
    await world.until("08:30")
    world.now = START + 65 * 60
    world.restart()
    await world.until("09:06")
    assert sorted(world.hub.running) == ["ada", "ben", "cleo"]


async def test_a_machine_that_comes_back_too_late_says_that_the_bell_was_missed(
    world: World, caplog: pytest.LogCaptureFixture
):
    """Nothing is started; it is in the log and in the book, once."""
    await world.until("08:30")
    world.now = START + 2 * 3600
    world.restart()
    for _ in range(3):
        await world.ringer.look()
    assert world.hub.started == []
    assert [ring.state for ring in world.book.rings()] == ["missed"]
    [said] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == "The bell lecture of 2026-06-10 09:00 was missed: nobody was here to ring it"


async def test_bells_that_overlap_start_each_server_once_and_keep_it_for_the_later(tmp_path: Path):
    """A lecture for all at nine and a lab of section A at five past."""
    world = World(tmp_path, {}, {"name": "lab", "at": "09:05", "who": "section:A", "grace": "20m"})
    await world.until("09:11")
    assert sorted(world.hub.started) == ["ada", "ben", "cleo"]
    assert world.hub.stopped == ["cleo"]
    await world.until("09:26")
    assert sorted(world.hub.stopped) == ["ada", "ben", "cleo"]


async def test_full_memory_stops_starting_and_goes_on_when_there_is_room(world: World):
    """Never more than fit; no failure is counted meanwhile."""
    world.machine = MachineNow(MachineMemory(4 * GIB, 256 * MIB + 110 * MIB), Pressure())
    await world.until("08:55:01")
    assert len(world.hub.started) == 1
    world.machine = MachineNow(MachineMemory(4 * GIB, 256 * MIB), Pressure())
    await world.until("08:58")
    assert len(world.hub.started) == 1
    world.machine = PLENTY
    await world.until("08:59")
    assert sorted(world.hub.running) == ["ada", "ben", "cleo"]


async def test_memory_pressure_and_people_at_work_slow_it_down(tmp_path: Path):
    """Nothing while memory is short; one at a time while somebody works on a busy machine."""
    world = World(tmp_path, {})
    world.machine = MachineNow(PLENTY.memory, Pressure(memory=30))
    await world.until("08:55:30")
    assert world.hub.started == []
    world.hub.running["zoe"] = Seen(START)
    world.machine = MachineNow(PLENTY.memory, Pressure(cpu=90))
    await world.until("08:55:31")
    assert len(world.hub.started) == 1


async def test_the_room_bounds_what_is_started(tmp_path: Path):
    """Two seats left are two servers."""
    world = World(tmp_path, {}, capacity=2)
    await world.until("08:58")
    assert len(world.hub.running) == 2


async def test_a_server_that_fails_is_given_up_after_some_tries(world: World):
    """The others are not held up by it, and it is told why."""
    world.hub.fails = {"ben"}
    await world.until("08:58")
    assert sorted(world.hub.running) == ["ada", "cleo"]
    assert world.hub.started.count("ben") == 3
    place = world.book.place("ben")
    assert place is not None
    assert (place.state, place.why) == (At.FAILED, "image missing")
    await world.until("09:11")
    assert world.states() == {}


async def test_a_bell_rings_again_next_week(world: World):
    """On Wednesday in a week, whatever became of this one."""
    await world.until("09:11")
    world.hub.started.clear()
    world.now += 7 * 86400 - 3600
    while world.now < START + 7 * 86400 + 57 * 60:
        world.now += 5
        world.hub.work_on()
        await world.ringer.look()
    assert sorted(world.hub.started) == ["ada", "ben", "cleo"]


@pytest.mark.parametrize(("day", "rings_at"), [("2026-03-29", "01:00"), ("2026-10-25", "00:30")])
async def test_a_bell_in_the_night_of_the_change_rings_once(tmp_path: Path, day: str, rings_at: str):
    """Half past two does not exist in March and exists twice in October: one ringing, at the right moment."""
    world = World(tmp_path, {"at": "02:30", "days": [], "dates": [day], "lead": "1m"})
    midnight = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp()
    world.now, began = midnight - 3600, 0.0
    while world.now < midnight + 4 * 3600:
        world.now += 10
        world.hub.work_on()
        await world.ringer.look()
        began = began or (world.now if world.hub.started else 0.0)
    assert dt.datetime.fromtimestamp(began + 60, dt.UTC).strftime("%H:%M") == rings_at
    assert sorted(world.hub.started) == ["ada", "ben", "cleo"]


# seats


@pytest.fixture
def seminar(tmp_path: Path) -> World:
    return World(tmp_path, {"seats": 3}, login="seminar")


async def test_seats_that_are_taken_are_replaced_as_long_as_the_room_holds(seminar: World):
    """Three wait; after two visitors three wait again; with nine of ten in, one waits."""
    await seminar.until("08:56")
    assert len(seminar.hub.running) == 3
    assert {seminar.book.hand_out(), seminar.book.hand_out()} <= set(seminar.hub.running)
    await seminar.until("08:57")
    assert len(seminar.book.waiting()) == 3
    for _ in range(7):
        assert seminar.book.hand_out() in seminar.hub.running
        await seminar.until(f"08:57:{10 + 5 * _}")
    assert len(seminar.book.waiting()) == 1
    assert len(seminar.hub.running) == 10


async def test_seats_that_nobody_took_are_stopped_and_used_again(seminar: World):
    """They are spare afterwards, and the next bell starts them instead of making new ones."""
    await seminar.until("09:11")
    assert len(seminar.hub.stopped) == 3
    assert set(seminar.states().values()) == {"spare"}
    seminar.book.begin(Occurrence("now", dt.datetime.fromtimestamp(seminar.now, dt.UTC), seats=2, lead=0.0))
    await seminar.until("09:12")
    assert seminar.hub.seats == 3
    assert len(seminar.hub.running) == 2


async def test_a_visitor_between_look_and_stop_keeps_the_seat(seminar: World):
    """Handed out in the very moment of the end: it is not stopped."""
    await seminar.until("09:09:59")
    mine = seminar.book.hand_out()
    await seminar.until("09:11")
    assert mine in seminar.hub.running
    assert len(seminar.hub.stopped) == 2


async def test_no_more_seats_than_the_room_holds(tmp_path: Path):
    """A bell without a number keeps the whole room ready, beside those who are in already."""
    world = World(tmp_path, {}, login="seminar", capacity=5)
    world.hub.running = {"seat-901": Seen(START), "seat-902": Seen(START)}
    await world.until("08:57")
    assert len(world.book.waiting()) == 3


async def test_a_large_room_is_filled_in_several_requests(tmp_path: Path):
    """More seats than the hub makes for one request are wanted all the same, and none twice."""
    world = World(tmp_path, {"seats": 2 * SEATS_AT_ONCE + 20}, login="seminar", capacity=500)
    await world.until("08:56")
    assert len(world.book.waiting()) == world.hub.seats == 2 * SEATS_AT_ONCE + 20


def test_the_machine_is_read_from_proc(tmp_path: Path):
    """MemAvailable and PSI's ten seconds; nothing where there is no such file."""
    (tmp_path / "pressure").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable:  1024 kB\n")
    (tmp_path / "pressure" / "cpu").write_text("some avg10=61.50 avg60=1.00 avg300=0.00 total=1\n")
    found = machine_now(5.0, tmp_path)
    assert (found.memory.total, found.memory.available, found.memory.servers_use) == (2048 * 1024, 1024 * 1024, 5)
    assert found.pressure == Pressure(cpu=61.5, memory=0.0)
    assert not machine_now(proc=tmp_path / "none").memory.is_known


@pytest.mark.parametrize(("available", "pressure"), [(513, 0.0), (512, 12.5), (100, 12.5)])
def test_waiting_for_memory_counts_where_little_is_left(tmp_path: Path, available: int, pressure: float) -> None:
    """Much reading on a busy machine waits for memory, too: no reason to hold up a bell while a quarter can be had."""
    (tmp_path / "pressure").mkdir()
    (tmp_path / "meminfo").write_text(f"MemTotal: 2048 kB\nMemAvailable: {available} kB\n")
    (tmp_path / "pressure" / "memory").write_text("some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n")
    assert machine_now(proc=tmp_path).pressure.memory == pressure
