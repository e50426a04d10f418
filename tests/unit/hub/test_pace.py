"""The queue's pace, and whether what it foretells comes true."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from firstbell.hub.starts.pace import CROWDED, FIRST_GUESS, Pace, waits


def test_the_first_guess_is_replaced_by_what_is_measured():
    """Before any start there is a guess; a lone start tells something of a full queue, a crowded one everything."""
    pace = Pace()
    assert pace.hold() == pace.own() == FIRST_GUESS
    pace.took(1.0, crowded=False)
    assert pace.hold() == pace.own() == CROWDED
    pace.took(2.0, crowded=True)
    pace.took(0.5, crowded=False)
    assert pace.hold() == pace.own() == 2.0


def test_one_slow_start_slows_the_queue_but_not_ones_own():
    """A hanging start holds a slot, which everybody waits for; nobody's own start takes longer by it."""
    pace = Pace()
    for seconds in (1.0, 1.0, 1.0, 1.0, 10.0):
        pace.took(seconds, crowded=True)
    assert pace.own() == 1.0
    assert pace.hold() == pytest.approx(2.8)


def test_waits_by_hand():
    """Two slots, held for 1 and 3 seconds of 4: they are free after 3 and 1 seconds, and so on."""
    assert list(waits(4, [1.0, 3.0], 0, 4.0, 10.0)) == [1.0, 3.0, 5.0, 7.0]
    assert list(waits(2, [3.0], 1, 4.0, 10.0)) == [0.0, 1.0]
    assert list(waits(1, [8.0], 0, 4.0, 10.0)) == [2.0], "it has taken long, and is expected to a little longer"
    assert list(waits(4, [8.0, 8.0], 0, 4.0, 10.0)) == [2.0, 2.0, 12.0, 12.0], "so will those after it"
    assert list(waits(1, [9.9], 0, 4.0, 10.0)) == [pytest.approx(0.1)], "but not past everybody's patience"


class Rush:
    """A queue on a simulated clock: people come, are told a time, and are in after another."""

    def __init__(self, slots: int, seconds: Callable[[random.Random], float]) -> None:
        self.slots, self.seconds, self.random = slots, seconds, random.Random(7)
        self.pace = Pace()
        self.told: dict[int, float] = {}
        self.took: dict[int, float] = {}

    def run(self, arrivals: list[float]) -> None:
        """All of them, in order of arrival."""
        running: list[tuple[float, float, int]] = []
        line: list[int] = []
        coming = list(enumerate(arrivals))
        while coming or running:
            at_door = coming[0][1] if coming else float("inf")
            if running and running[0][0] <= at_door:
                now, began, _ = heapq.heappop(running)
                self.pace.took(now - began, crowded=bool(line))
            else:
                person, now = coming.pop(0)
                line.append(person)
                ages = [now - began for _, began, _ in running]
                last = list(waits(len(line), ages, self.slots - len(running), self.pace.hold(), 10.0))[-1]
                self.told[person] = last + self.pace.own()
            while line and len(running) < self.slots:
                person = line.pop(0)
                seconds = self.seconds(self.random)
                heapq.heappush(running, (now + seconds, now, person))
                self.took[person] = now + seconds - arrivals[person]

    def errors(self, people: range) -> list[float]:
        """How far what was told lay from what came, as a part of it."""
        return sorted(abs(self.told[p] - self.took[p]) / self.took[p] for p in people)


@pytest.mark.parametrize("slots", [2, 3, 8])
def test_estimates_come_true(slots):
    """In a rush of two hundred whose starts take 1 to 2.5 seconds, what people are told is what they see.

    Of those who come once some were measured, half are told the truth within a seventh, nine of ten within a third.
    """
    rush = Rush(slots, lambda r: r.uniform(1.0, 2.5))
    rush.run([0.1 * n for n in range(200)])
    errors = rush.errors(range(40, 200))
    assert errors[len(errors) // 2] < 0.15
    assert errors[int(0.9 * len(errors))] < 0.34


def test_estimates_hold_when_some_hang():
    """One start in ten takes all the patience there is: what people are told still lies within a half for most."""
    rush = Rush(4, lambda r: 10.0 if r.random() < 0.1 else r.uniform(1.0, 2.0))
    rush.run([0.05 * n for n in range(200)])
    errors = rush.errors(range(60, 200))
    assert errors[int(0.8 * len(errors))] < 0.5
