"""One fair queue for the starts of servers, as wide as the machine can serve."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from firstbell.hub.nodes.room import NodeSlots
from firstbell.hub.starts.pace import Pace, waits

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
    called: asyncio.Future[str] = field(repr=False)
    """Ends with the node of the start; on one machine with nothing."""
    pin: str = ""
    """The only node on which it can be made; empty for any."""


def slots_for(cpus: int) -> int:
    """Three starts for two cores, at least two: more would only make each take longer (decision 18)."""
    return max(2, cpus * 3 // 2)


class StartQueue:
    """First come, first served, people before the bell.

    A start holds a slot until it is done, or for its patience at most. The limit keeps a slow image or a hanging
    start from holding up everybody else: it goes on, but beside the queue rather than in it. Bell starts get slots for
    which no person waits, and never the last one: a click that comes in the middle of them does not wait for any.

    On a cluster each of its `nodes` has slots of its own. Whoever is first in line and has a node with a free one is
    called; nobody waits behind somebody whose only node is busy.
    """

    def __init__(
        self,
        slots: int,
        *,
        later: Later | None = None,
        clock: Callable[[], float] = time.monotonic,
        nodes: NodeSlots | None = None,
    ) -> None:
        self._slots = slots
        self._nodes = nodes
        self._held: Counter[tuple[str, Lane]] = Counter()
        self._waiting: OrderedDict[str, _Ticket] = OrderedDict()
        self._since: dict[_Slot, tuple[float, str]] = {}
        self._forecast: tuple[float, dict[str, float]] = (float("-inf"), {})
        self.pace = Pace()
        self._later = later or _later
        self._clock = clock

    @property
    def slots(self) -> int:
        """How many starts may be under way at once; on a cluster on all nodes together."""
        return sum(self._nodes.slots().values()) if self._nodes else self._slots

    @asynccontextmanager
    async def turn(self, user: str, lane: Lane = Lane.PERSON) -> AsyncIterator[str]:
        """Wait for a slot and hold it; its node. Whoever is cancelled while waiting leaves the queue. Raises GivenUp.

        The node is empty on one machine, and for a start that no node takes: it is called to say why.
        """
        lane, node = await self._wait(user, lane)
        slot = _Slot(lambda: self._release(slot, lane, node))
        began = self._clock()
        self._since[slot] = (began, node)
        forget = self._later(self.patience(), slot.release)
        try:
            yield node
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
        ticket = self._waiting.get(user)
        return self._rivals(ticket.pin).index(ticket) + 1 if ticket else 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def waiting_in(self, lane: Lane) -> int:
        """How many wait in that lane."""
        return sum(ticket.lane is lane for ticket in self._waiting.values())

    def held_by(self, lane: Lane) -> int:
        """How many slots that lane's starts hold."""
        return sum(count for (_, of), count in self._held.items() if of is lane)

    def call_again(self) -> None:
        """Nodes have changed: somebody may go who could not before."""
        self._call()

    def patience(self) -> float:
        """Seconds for which a start that begins now may hold its slot."""
        return min(MOST_PATIENCE, max(PATIENCE, 4 * self.pace.normal()))

    def estimate(self, user: str) -> float:
        """Seconds until this user's server is likely to be up, at the pace of the last starts."""
        return self._forecasts().get(user, 0.0) + self.pace.own()

    def estimate_for_next(self) -> float:
        """The same for somebody who clicks now; a guess while no node can start anything."""
        ahead = self.waiting_in(Lane.PERSON) + 1
        return max(self._waits(ahead), default=self.patience()) + self.pace.own()

    def _forecasts(self) -> dict[str, float]:
        now = self._clock()
        made, forecast = self._forecast
        if now - made >= _FORECAST_HOLDS or forecast.keys() != self._waiting.keys():
            forecast = {}
            for pin in {ticket.pin for ticket in self._waiting.values()}:
                rivals = self._rivals(pin)
                seconds = self._waits(len(rivals), pin)
                forecast |= {t.user: wait for t, wait in zip(rivals, seconds, strict=False) if t.pin == pin}
            self._forecast = (now, forecast)
        return forecast

    def _waits(self, line: int, node: str = "") -> Iterator[float]:
        """For so many who wait; where they can only be on one node, for its slots."""
        now = self._clock()
        ages = [now - since for since, of in self._since.values() if not node or of == node]
        slots = self._nodes.slots().get(node, 0) if self._nodes and node else self.slots
        return waits(line, ages, max(0, slots - len(ages)), self.pace.hold(), self.patience())

    async def _wait(self, user: str, lane: Lane) -> tuple[Lane, str]:
        """Wait for a slot; the lane it was given to, and its node."""
        pin = self._nodes.pin(user) if self._nodes else ""
        ticket = _Ticket(user, lane, asyncio.get_running_loop().create_future(), pin)
        self._waiting[user] = ticket
        self._call()
        try:
            node = await ticket.called
        except asyncio.CancelledError:
            if ticket.called.done() and not ticket.called.cancelled():
                # The slot came in the same instant as the cancellation.
                self._give_back(ticket.lane, ticket.called.result())
            raise
        finally:
            if self._waiting.get(user) is ticket:
                del self._waiting[user]
        return ticket.lane, node

    def _release(self, slot: _Slot, lane: Lane, node: str) -> None:
        crowded = self._free(node) <= 0
        self.pace.took(self._clock() - self._since.pop(slot)[0], crowded=crowded)
        self._give_back(lane, node)

    def _give_back(self, lane: Lane, node: str) -> None:
        self._held[node, lane] -= 1
        self._call()

    def _call(self) -> None:
        """Give out the slots that may be given."""
        if self._is_full():
            return
        for ticket in self._line():
            node = self._node_for(ticket)
            if node is None and self._nodes is None:
                return
            if node is None:
                continue
            del self._waiting[ticket.user]
            if not ticket.called.done():
                self._held[node, ticket.lane] += 1
                ticket.called.set_result(node)

    def _node_for(self, ticket: _Ticket) -> str | None:
        """Where a start may go now; None for nowhere."""
        if self._nodes is None:
            return "" if self._may_go("", ticket.lane) else None
        if self._width(ticket.pin) and not self._may_go(ticket.pin, ticket.lane):
            return None
        return self._nodes.choose(ticket.user, lambda node: self._may_go(node, ticket.lane))

    def _may_go(self, node: str, lane: Lane) -> bool:
        bells = max(1, self._width(node) - 1)
        return self._free(node) > 0 and (lane is Lane.PERSON or self._held[node, Lane.BELL] < bells)

    def _is_full(self) -> bool:
        widths = self._nodes.slots() if self._nodes else {"": self._slots}
        return bool(widths) and all(self._free(node) <= 0 for node in widths)

    def _width(self, node: str) -> int:
        return self._nodes.slots().get(node, 0) if self._nodes else self._slots

    def _free(self, node: str) -> int:
        return self._width(node) - sum(self._held[node, lane] for lane in Lane)

    def _rivals(self, pin: str) -> list[_Ticket]:
        """Those of the line who may take the slots of that node; with no node, everybody."""
        return [ticket for ticket in self._line() if not pin or ticket.pin in {pin, ""}]

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
