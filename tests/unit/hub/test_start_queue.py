"""The queue of starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from firstbell.hub.starts.queue import MOST_PATIENCE, PATIENCE, GivenUp, Lane, StartQueue, slots_for


class Clock:
    """Time that stands still until it is moved; calls what is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, what: Callable[[], None]) -> Callable[[], None]:
        entry = (self.now + seconds, what)
        self._due.append(entry)

        def cancel() -> None:
            with suppress(ValueError):
                self._due.remove(entry)

        return cancel

    def move(self, seconds: float) -> None:
        self.now += seconds
        for entry in [e for e in self._due if e[0] <= self.now]:
            self._due.remove(entry)
            entry[1]()


class Starter:
    """Starts by name that end when told to."""

    def __init__(self, slots: int) -> None:
        self.clock = Clock()
        self.queue = StartQueue(slots, later=self.clock.later, clock=self.clock)
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, *names: str, lane: Lane = Lane.PERSON) -> None:
        for name in names:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._run(name, lane))
            await settle()

    async def _run(self, name: str, lane: Lane) -> None:
        async with self.queue.turn(name, lane):
            self.began.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_first_come_first_served():
    """As many start at once as there are slots; the rest follow in the order of their coming."""
    starter = Starter(2)
    await starter.begin("a", "b", "c", "d")
    assert starter.began == ["a", "b"]
    assert [starter.queue.place(name) for name in "abcd"] == [0, 0, 1, 2]
    await starter.end("b")
    assert starter.began == ["a", "b", "c"]
    assert starter.queue.place("d") == 1
    await starter.end("a")
    assert starter.began == ["a", "b", "c", "d"]
    assert starter.queue.waiting == 0


async def test_one_slow_start_holds_nobody_up_for_long():
    """After its patience a start that hangs gives its slot to the next, once (fault 12)."""
    starter = Starter(1)
    await starter.begin("slow", "a", "b")
    starter.clock.move(PATIENCE - 1)
    await settle()
    assert starter.began == ["slow"]
    starter.clock.move(1)
    await settle()
    assert starter.began == ["slow", "a"]
    await starter.end("slow")
    assert starter.began == ["slow", "a"], "its slot had been given back already"
    await starter.end("a")
    assert starter.began == ["slow", "a", "b"]


async def test_on_a_slow_machine_patience_grows_with_normal_starts():
    """Where every start takes eight seconds none is slow for it; what never ends is not normal, and patience ends."""
    starter = Starter(1)
    await starter.begin("a")
    starter.clock.move(8)
    await starter.end("a")
    assert starter.queue.patience() == 32
    await starter.begin("slow", "b")
    starter.clock.move(31)
    await settle()
    assert starter.began[-1] == "slow"
    starter.clock.move(1)
    await settle()
    assert starter.began[-1] == "b"
    for _ in range(40):
        starter.queue.pace.finished(100)
    assert starter.queue.patience() == MOST_PATIENCE


async def test_who_leaves_is_not_waited_for():
    """A cancelled waiter leaves the queue, and the slot goes to the next."""
    starter = Starter(1)
    await starter.begin("a", "gone", "b")
    starter.tasks["gone"].cancel()
    await settle()
    assert starter.queue.place("b") == 1
    await starter.end("a")
    assert starter.began == ["a", "b"]


async def test_a_slot_given_to_somebody_who_leaves_is_not_lost():
    """Cancelled in the instant of being called, one passes the slot on."""
    starter = Starter(1)
    await starter.begin("a", "gone", "b")
    starter._ends["a"].set()
    await asyncio.sleep(0)
    starter.tasks["gone"].cancel()
    await settle()
    assert starter.began[-1] == "b"


@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError])
async def test_a_failed_start_frees_its_slot(kind):
    """However a start ends, the next begins."""
    queue = StartQueue(1)
    with pytest.raises(kind):
        async with queue.turn("a"):
            raise kind
    async with asyncio.timeout(1), queue.turn("b"):
        pass


async def test_the_estimate_follows_recent_starts():
    """It is the time until a slot is likely to be free, and that of one's own start, as starts took lately."""
    starter = Starter(2)
    await starter.begin("a", "b", "c", "d", "e")
    starter.clock.move(4)
    await starter.end("a")
    await starter.end("b")
    assert starter.queue.pace.hold() == 4
    assert [starter.queue.estimate(name) for name in "cde"] == [4, 4, 8]
    starter.clock.move(3)
    assert starter.queue.estimate("e") == 5
    assert starter.queue.estimate_for_next() == 5


async def test_one_who_is_given_up_leaves_the_queue():
    """A waiting start that is given up ends with GivenUp; one whose turn has come goes on."""
    starter = Starter(1)
    await starter.begin("a", "gone", "b")
    assert starter.queue.give_up("gone")
    assert not starter.queue.give_up("gone")
    assert not starter.queue.give_up("a")
    await settle()
    assert isinstance(starter.tasks["gone"].exception(), GivenUp)
    assert starter.queue.place("b") == 1
    await starter.end("a")
    assert starter.began == ["a", "b"]


@pytest.mark.parametrize(("cpus", "slots"), [(0, 2), (1, 2), (2, 3), (8, 12)])
def test_slots_follow_the_machine(cpus, slots):
    """Three for two cores, at least two."""
    assert slots_for(cpus) == slots


class TestLanes:
    """People before the bell."""

    async def test_bell_starts_leave_one_slot_to_people(self):
        """However many a bell has to start, a click in the middle of them starts at once."""
        starter = Starter(3)
        await starter.begin("b1", "b2", "b3", "b4", lane=Lane.BELL)
        assert starter.began == ["b1", "b2"]
        await starter.begin("ada")
        assert starter.began == ["b1", "b2", "ada"]

    async def test_people_go_first_in_their_own_order(self):
        """Who clicks while bell starts wait goes before them all, but after those who clicked before."""
        starter = Starter(2)
        await starter.begin("x", "y")
        await starter.begin("b1", "b2", lane=Lane.BELL)
        await starter.begin("ada", "bob")
        assert [starter.queue.place(name) for name in ("ada", "bob", "b1", "b2")] == [1, 2, 3, 4]
        await starter.end("x")
        await starter.end("y")
        assert starter.began[2:] == ["ada", "bob"]
        await starter.end("ada")
        await starter.end("bob")
        assert starter.began[4:] == ["b1"], "the other slot is kept free for people"

    async def test_a_promoted_start_is_a_persons(self):
        """Somebody comes whose server a bell was to start: it goes before the bell's others, into people's slots."""
        starter = Starter(2)
        await starter.begin("b1", "b2", "b3", lane=Lane.BELL)
        assert starter.began == ["b1"]
        starter.queue.promote("b3")
        await settle()
        assert starter.began == ["b1", "b3"]
        assert starter.queue.held_by(Lane.PERSON) == 1

    async def test_promoting_twice_or_for_nothing_changes_nothing(self):
        """A reload of the page does not send its person to the end of the line again."""
        starter = Starter(1)
        await starter.begin("x", "ada", "bob")
        starter.queue.promote("ada")
        starter.queue.promote("nobody")
        assert starter.queue.place("ada") == 1

    async def test_one_slot_serves_both(self):
        """Where there is one slot only, a bell's start may have it, and gives it back."""
        starter = Starter(1)
        await starter.begin("b1", lane=Lane.BELL)
        await starter.begin("ada")
        assert starter.began == ["b1"]
        await starter.end("b1")
        assert starter.began == ["b1", "ada"]


async def test_while_nothing_can_start_a_wait_is_a_guess() -> None:
    """With no slot at all, as on a cluster whose nodes are not known yet, an estimate is still a number."""
    assert StartQueue(0).estimate_for_next() >= PATIENCE
