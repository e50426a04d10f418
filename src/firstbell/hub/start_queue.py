"""One fair queue for the starts of servers, as wide as the machine can serve."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from firstbell.hub.pace import Pace, waits

PATIENCE = 10.0
"""Seconds for which one start may keep others waiting, at least: four times a normal one."""
MOST_PATIENCE = 40.0
"""The same at most: on a machine so busy that normal starts take long, letting more of them in makes all slower."""
_FORECAST_HOLDS = 0.5
"""Seconds for which a forecast is good: everybody who waits asks for theirs every other second."""

Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""(seconds, what) → cancel: calls `what` after that time."""


class GivenUp(Exception):
    """Nobody waits any more for a start whose turn had not come."""


class Lane(IntEnum):
    """Who waits for a start; the lower goes first."""

    PERSON = 0
    BELL = 1
    """Started beforehand: nobody waits for it yet."""


@dataclass(slots=True)
class _Ticket:
    """One start that waits for its turn."""

    user: str
    lane: Lane
    called: asyncio.Future[None] = field(repr=False)


def slots_for(cpus: int) -> int:
    """Three starts for two cores, at least two: more would only make each take longer (decision 18)."""
    return max(2, cpus * 3 // 2)


class StartQueue:
    """First come, first served, people before the bell.

    A start holds a slot until it is done, or for its patience at most. The limit keeps a slow image or a hanging
    start from holding up everybody else: it goes on, but beside the queue rather than in it. Bell starts get slots for
    which no person waits, and never the last one: a click that comes in the middle of them does not wait for any.
    """

    def __init__(self, slots: int, *, later: Later | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = slots
        self._bell_slots = max(1, slots - 1)
        self._held = dict.fromkeys(Lane, 0)
        self._waiting: OrderedDict[str, _Ticket] = OrderedDict()
        self._since: dict[_Slot, float] = {}
        self._forecast: tuple[float, dict[str, float]] = (float("-inf"), {})
        self.pace = Pace()
        self._later = later or _later
        self._clock = clock

    @asynccontextmanager
    async def turn(self, user: str, lane: Lane = Lane.PERSON) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Whoever is cancelled while waiting leaves the queue. Raises GivenUp."""
        lane = await self._wait(user, lane)
        slot = _Slot(lambda: self._release(slot, lane))
        self._since[slot] = began = self._clock()
        forget = self._later(self.patience(), slot.release)
        try:
            yield
            self.pace.finished(self._clock() - began)
        finally:
            forget()
            slot.release()

    def give_up(self, user: str) -> bool:
        """Nobody waits for this start any more: its `turn` raises GivenUp. False for one whose turn has come."""
        ticket = self._waiting.get(user)
        if ticket is None or ticket.called.done():
            return False
        ticket.called.set_exception(GivenUp())
        del self._waiting[user]
        return True

    def promote(self, user: str) -> None:
        """Somebody now waits for a bell's start: it goes to the end of the people's line. Nothing for any other."""
        ticket = self._waiting.get(user)
        if ticket is not None and ticket.lane is not Lane.PERSON:
            ticket.lane = Lane.PERSON
            self._waiting.move_to_end(user)
            self._call()

    def place(self, user: str) -> int:
        """0 for somebody who does not wait, 1 for the next in line."""
        return next((n for n, ticket in enumerate(self._line(), 1) if ticket.user == user), 0)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def waiting_in(self, lane: Lane) -> int:
        """How many wait in that lane."""
        return sum(ticket.lane is lane for ticket in self._waiting.values())

    def held_by(self, lane: Lane) -> int:
        """How many slots that lane's starts hold."""
        return self._held[lane]

    def patience(self) -> float:
        """Seconds for which a start that begins now may hold its slot."""
        return min(MOST_PATIENCE, max(PATIENCE, 4 * self.pace.normal()))

    def estimate(self, user: str) -> float:
        """Seconds until this user's server is likely to be up, at the pace of the last starts."""
        return self._forecasts().get(user, 0.0) + self.pace.own()

    def estimate_for_next(self) -> float:
        """The same for somebody who clicks now."""
        ahead = self.waiting_in(Lane.PERSON) + 1
        return list(self._waits(ahead))[-1] + self.pace.own()

    def _forecasts(self) -> dict[str, float]:
        now = self._clock()
        made, forecast = self._forecast
        if now - made >= _FORECAST_HOLDS or forecast.keys() != self._waiting.keys():
            line = self._line()
            forecast = {t.user: seconds for t, seconds in zip(line, self._waits(len(line)), strict=True)}
            self._forecast = (now, forecast)
        return forecast

    def _waits(self, line: int) -> Iterator[float]:
        now = self._clock()
        ages = [now - since for since in self._since.values()]
        return waits(line, ages, max(0, self.slots - len(ages)), self.pace.hold(), self.patience())

    async def _wait(self, user: str, lane: Lane) -> Lane:
        """Wait for a slot; the lane it was given to."""
        ticket = _Ticket(user, lane, asyncio.get_running_loop().create_future())
        self._waiting[user] = ticket
        self._call()
        try:
            await ticket.called
        except asyncio.CancelledError:
            if ticket.called.done() and not ticket.called.cancelled():
                self._give_back(ticket.lane)  # the slot came in the same instant as the cancellation
            raise
        finally:
            if self._waiting.get(user) is ticket:
                del self._waiting[user]
        return ticket.lane

    def _release(self, slot: _Slot, lane: Lane) -> None:
        crowded = sum(self._held.values()) >= self.slots
        self.pace.took(self._clock() - self._since.pop(slot), crowded=crowded)
        self._give_back(lane)

    def _give_back(self, lane: Lane) -> None:
        self._held[lane] -= 1
        self._call()

    def _call(self) -> None:
        """Give out the slots that may be given."""
        for ticket in self._line():
            if not self._may_go(ticket.lane):
                return
            del self._waiting[ticket.user]
            if not ticket.called.done():
                self._held[ticket.lane] += 1
                ticket.called.set_result(None)

    def _may_go(self, lane: Lane) -> bool:
        free = self.slots - sum(self._held.values())
        return free > 0 and (lane is Lane.PERSON or self._held[Lane.BELL] < self._bell_slots)

    def _line(self) -> list[_Ticket]:
        """Who waits, in the order in which they are called."""
        return sorted(self._waiting.values(), key=lambda ticket: ticket.lane)


class _Slot:
    """Given back once, whoever asks first."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def release(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back:
            give_back()


def _later(seconds: float, what: Callable[[], None]) -> Callable[[], None]:
    return asyncio.get_running_loop().call_later(seconds, what).cancel
