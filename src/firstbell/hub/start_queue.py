"""One fair queue for the starts of servers, as wide as the machine can serve."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import fmean

PATIENCE = 10.0
"""Seconds for which one start may keep others waiting: four times a normal one."""
FIRST_GUESS = 3.0
"""Seconds of a start, as long as none was measured."""
_REMEMBERED = 20

Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""(seconds, what) → cancel: calls `what` after that time."""


def slots_for(cpus: int) -> int:
    """Two starts per core, at least two: a start waits for the daemon about as long as it computes."""
    return max(2, 2 * cpus)


class StartQueue:
    """First come, first served. A start holds a slot until it is done, or for `PATIENCE` seconds at most.

    The second rule keeps a slow image or a hanging start from holding up everybody else: it goes on, but beside the
    queue rather than in it.
    """

    def __init__(self, slots: int, *, later: Later | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = slots
        self._free = slots
        self._waiting: OrderedDict[str, asyncio.Future[None]] = OrderedDict()
        self._recent: deque[float] = deque(maxlen=_REMEMBERED)
        self._later = later or _later
        self._clock = clock

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it; whoever is cancelled while waiting leaves the queue."""
        await self._wait(user)
        began, slot = self._clock(), _Slot(self._give_back)
        forget = self._later(PATIENCE, slot.release)
        try:
            yield
            self._recent.append(self._clock() - began)
        finally:
            forget()
            slot.release()

    def place(self, user: str) -> int:
        """0 for somebody who does not wait, 1 for the next in line."""
        return list(self._waiting).index(user) + 1 if user in self._waiting else 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def typical(self) -> float:
        """Seconds that recent starts took on average, once it was their turn."""
        return fmean(self._recent) if self._recent else FIRST_GUESS

    def estimate(self, user: str) -> float:
        """Seconds until this user's server is likely to be up, from the queue's length and recent starts."""
        rounds_before = -(-self.place(user) // self.slots)
        return (rounds_before + 1) * self.typical()

    async def _wait(self, user: str) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[user] = turn
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the slot came in the same instant as the cancellation
            raise
        finally:
            if self._waiting.get(user) is turn:
                del self._waiting[user]

    def _give_back(self) -> None:
        while self._waiting:
            _, turn = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


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
