"""Rings the bells: one look after another brings what runs closer to what bells want.

A look begins with what is written in the book and what the hub has, so it makes no difference whether the look before
it was a second ago, in another process, or before a reboot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import Hub, HubAway, MachineNow, People, Seen
from firstbell.hub.bells.values import SEATS_AT_ONCE, WAITING, At, Place, Ring
from firstbell.model.bell import Bell
from firstbell.model.course import Course
from firstbell.plan.bell_forecast import FIRST_GUESS, starts_at_once
from firstbell.plan.bells import Occurrence, due, rings, seats_wanted

LOG = logging.getLogger("firstbell.bells")

CALM, WATCHFUL, BUSY = 2.0, 2.0, 0.5
"""Seconds until the next look: nothing is wanted; all is ready; servers are being started."""
SECONDS_EACH = "seconds_each"
"""Kept: seconds between two starts, as this machine did them the last time."""
_LOOKED = "looked"
_LOOKED_EVERY = 30.0
_LOOK_BACK = timedelta(days=8)
_LOST_AFTER = 10.0
"""Seconds after which an ordered start of which the hub knows nothing is ordered again."""
_SETTLES = 60.0
"""Seconds after a server is ready within which its own doings, a kernel made ready among them, are not its person's."""
_AGAIN = 5.0
"""Seconds per failure until a start is tried again."""
_STOPS_AT_ONCE = 4
_FEWEST_MEASURED = 3


class Ringer:
    """The service's thinking; everything outside of it is given."""

    def __init__(
        self,
        course: Course,
        book: BellBook,
        hub: Hub,
        people: People,
        *,
        machine: Callable[[], MachineNow],
        slots: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._course = course
        self._zone = ZoneInfo(course.time_zone)
        self._book = book
        self._hub = hub
        self._people = people
        self._machine = machine
        self._slots_here = slots
        self._now = now

    async def look(self) -> float:
        """One look; seconds until the next. Raises HubAway, OSError, sqlite3.Error: the next goes on from there."""
        self._begin_due()
        active, open_places = self._book.active(), self._book.places(*WAITING, At.FAILED, At.STOPPING)
        if not active and not open_places:
            return CALM
        seen = self._hub.servers()
        self._agree(open_places, seen)
        await self._fill(active, seen)
        await self._start_some(seen)
        await self._stop_untaken(seen)
        self._settle()
        return BUSY if self._book.places(At.WANTED, At.ORDERED) else WATCHFUL

    # when

    def _begin_due(self) -> None:
        now = self._moment()
        looked = self._book.kept(_LOOKED, now.timestamp())
        since = max(datetime.fromtimestamp(min(looked, now.timestamp()), UTC), now - _LOOK_BACK)
        begun = [pair for bell in self._course.bells for pair in self._begun(bell, since, now)]
        found = due(begun, self._book.known(), now) if begun else None
        for ring in found.missed if found else ():
            self._book.begin(ring, "missed", self._people.count(ring))
            LOG.warning("The bell %s of %s was missed: nobody was here to ring it", ring.bell, self._clock(ring))
        for ring in found.begin if found else ():
            count = self._people.count(ring)
            if self._book.begin(ring, wanted=count):
                LOG.info("The bell %s of %s: %d servers are to be ready", ring.bell, self._clock(ring), count)
        if now.timestamp() - looked >= _LOOKED_EVERY or looked >= now.timestamp():
            self._book.keep(_LOOKED, now.timestamp())

    def _begun(self, bell: Bell, since: datetime, now: datetime) -> Iterable[tuple[Occurrence, datetime]]:
        """Ringings whose time to begin has come, of those that were not over when somebody last looked."""
        capacity = self._course.access.capacity if self._course.access.login == "seminar" else 0
        for ring in rings(bell, self._zone, since - timedelta(seconds=bell.grace + 1), capacity):
            begins = ring.begins(self._people.count(ring), self.seconds_each)
            if begins > now:
                return
            yield ring, begins

    @property
    def _slots(self) -> int:
        """Starts at once: of this machine, or of all nodes of its cluster."""
        return self._machine().slots or self._slots_here

    @property
    def seconds_each(self) -> float:
        """Seconds between two starts of a row of them."""
        return self._book.kept(SECONDS_EACH, FIRST_GUESS / self._slots)

    # what is so, and what should be

    def _agree(self, places: Iterable[Place], seen: Mapping[str, Seen]) -> None:
        """What the book says and what the hub has: a hub that was killed knows nothing of the starts it was at."""
        for place in places:
            server = seen.get(place.username)
            if server is not None and server.is_up and place.state is At.ORDERED:
                self._book.is_ready(place.username)
            is_used = server is not None and place.ready and server.last_activity > place.ready + _SETTLES
            if is_used:
                self._book.arrived(place.username)
            elif server is None and place.state is At.ORDERED and self._now() - place.tried > _LOST_AFTER:
                self._book.again(place.username)
            elif server is None and place.state is At.READY and place.until > self._now():
                self._book.again(place.username)
                self._book.has_failed(place.username, "it ended before its person came")

    async def _fill(self, active: Iterable[Ring], seen: Mapping[str, Seen]) -> None:
        """See that everybody a ringing is for is in the book: also who came to the roster since."""
        seats = [ring.occurrence for ring in active if ring.occurrence.seats]
        for ring in active:
            occurrence = ring.occurrence
            if not occurrence.seats:
                had = self._book.people(occurrence.key)
                if missing := [name for name in self._people.whom(occurrence) if name not in had]:
                    self._book.want(occurrence, await self._hub.make(names=missing), running=seen)
        if seats:
            await self._fill_seats(seats, seen)

    async def _fill_seats(self, active: list[Occurrence], seen: Mapping[str, Seen]) -> None:
        """As many seats as are wanted wait for visitors, and no more than the room still holds."""
        free = self._course.access.capacity - len(self._at_work(seen))
        wanted = min(seats_wanted(active), max(0, free))
        waiting = [place for place in self._book.places(*WAITING, At.FAILED) if place.is_seat]
        short = wanted - len(waiting)
        # Those that are ready are kept the longest, should the room have filled.
        surplus = sorted(waiting, key=lambda p: p.state is At.READY)[: max(0, -short)]
        for place in surplus:
            await self._stop(place, seen)
        names = [place.username for place in waiting if place.state is not At.FAILED and place not in surplus]
        if short > 0:
            spare = [place.username for place in self._book.places(At.SPARE)][:short]
            # More than that are made by the next looks.
            more = min(short - len(spare), SEATS_AT_ONCE)
            made = await self._hub.make(seats=more) if more > 0 else []
            names += [*spare, *made]
        for ring in active:
            if set(names) - self._book.people(ring.key):
                self._book.want_seats(ring, names)

    def _at_work(self, seen: Mapping[str, Seen]) -> frozenset[str]:
        """Who is in, servers apart for which nobody has come."""
        return frozenset(seen) - self._book.waiting()

    # starts and stops

    async def _start_some(self, seen: Mapping[str, Seen]) -> None:
        """As many as the machine takes now, beside those that are under way."""
        wanted = [p for p in self._book.places(At.WANTED) if self._now() - p.tried >= _AGAIN * p.failures]
        if not wanted:
            return
        ordered, ready = len(self._book.places(At.ORDERED)), len(self._book.places(At.READY))
        at_work, machine = len(self._at_work(seen)), self._machine()
        fits = machine.fits(self._course.server.memory, ordered)
        new = min(
            starts_at_once(machine.slots or self._slots_here, machine.pressure, at_work) - ordered,
            self._course.access.capacity - at_work - ordered - ready,
            len(wanted) if fits is None else fits,
        )
        await asyncio.gather(*(self._start(place.username) for place in wanted[: max(0, new)]))

    async def _start(self, user: str) -> None:
        if not self._book.order(user):
            return  # they came for it themselves in this moment
        try:
            is_on_its_way = await self._hub.start(user)
        except HubAway:
            self._book.again(user)
            raise
        if not is_on_its_way:
            self._book.again(user)

    async def _stop_untaken(self, seen: Mapping[str, Seen]) -> None:
        """What nobody has come for in time, and what a look before this one did not get to the end of."""
        late = [p for p in self._book.places(*WAITING, At.FAILED) if p.until <= self._now()]
        late += self._book.places(At.STOPPING)
        for first in range(0, len(late), _STOPS_AT_ONCE):
            await asyncio.gather(*(self._stop(place, seen) for place in late[first : first + _STOPS_AT_ONCE]))

    async def _stop(self, place: Place, seen: Mapping[str, Seen]) -> None:
        user = place.username
        if place.state is not At.STOPPING and not self._book.retire(user):
            return  # somebody came
        if user not in seen or await self._hub.stop(user):
            self._book.stopped(user)

    # what came of it

    def _settle(self) -> None:
        for ring in self._book.active():
            key = ring.occurrence.key
            if ring.done is None and 0 < ring.wanted <= ring.ready:
                self._all_ready(ring)
            if self._now() >= ring.ends:
                self._book.close_ring(key)
                came, of = ring.taken, ring.wanted
                LOG.info("The bell %s is over: of %d servers %d were taken", ring.occurrence.bell, of, came)

    def _all_ready(self, ring: Ring) -> None:
        self._book.is_all_ready(ring.occurrence.key)
        took = self._now() - ring.began
        if ring.wanted >= _FEWEST_MEASURED and not ring.taken:
            self._book.keep(SECONDS_EACH, took / ring.wanted)
        early = ring.occurrence.at.timestamp() - self._now()
        when = f"{early:.0f} s before it" if early > 0 else f"{-early:.0f} s after it"
        LOG.info(
            "The bell %s: %d of %d ready after %.0f s, %s", ring.occurrence.bell, ring.ready, ring.wanted, took, when
        )

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    def _clock(self, ring: Occurrence) -> str:
        return ring.at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
