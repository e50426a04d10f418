"""The room: how many are in, and who waits at the door in which order."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

PATIENCE = 75.0
"""Seconds without a heartbeat after which a waiting person has gone. Browsers let hidden pages tick once a minute."""
GRACE = 10.0
"""Seconds in which somebody who left the page (or reloaded it) finds their place again."""
COMING = 30.0
"""Seconds for which a seat is kept between being let in and the server's start."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands: `place` 0 may go in now, 1 is the first to wait."""

    place: int
    waiting: int
    capacity: int

    @property
    def may_enter(self) -> bool:
        """Whether a seat is free for this person."""
        return self.place == 0


class Room:
    """At most `capacity` people are in; free seats go to those who have waited longest.

    `inside` tells the user names whose servers run, start or stop; it is asked each time, so that the room cannot
    disagree with the hub. Somebody who is inside is always let in (again).
    """

    def __init__(
        self, capacity: int, inside: Callable[[], Collection[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.capacity = capacity
        self._inside = inside
        self._clock = clock
        self._gone_at: OrderedDict[str, float] = OrderedDict()
        self._coming: dict[str, float] = {}
        self._arrived: set[str] = set()

    def occupied(self) -> int:
        """How many are in, or on their way from the door."""
        return len(self._taken())

    def has_room(self) -> bool:
        """Whether a newcomer could go straight in: a seat is free beside those for whom others wait."""
        return len(self._taken()) + len(self._gone_at) < self.capacity

    def stand(self, username: str) -> Standing:
        """Where `username` stands, queued from now on if the room is full. Call it again as a heartbeat."""
        taken = self._taken()
        if username in taken:
            return Standing(0, len(self._gone_at), self.capacity)
        self._gone_at[username] = self._clock() + PATIENCE
        free = self.capacity - len(taken)
        ahead = list(self._gone_at).index(username)
        return Standing(0 if ahead < free else ahead - max(free, 0) + 1, len(self._gone_at), self.capacity)

    def admit(self, username: str) -> bool:
        """Let `username` in if a seat is free for them, and keep it for them until their server starts.

        Ask before a start, and again in it: who was let in a moment ago is let in still.
        """
        others = self._taken() - {username}
        ahead = list(self._gone_at).index(username) if username in self._gone_at else len(self._gone_at)
        if username not in self._coming and ahead >= self.capacity - len(others):
            return False
        self._gone_at.pop(username, None)
        self._coming[username] = self._clock() + COMING
        return True

    def leave(self, username: str) -> None:
        """`username` left the waiting page; the place is theirs for a few seconds more, in case it was a reload."""
        if username in self._gone_at:
            self._gone_at[username] = min(self._gone_at[username], self._clock() + GRACE)

    def _taken(self) -> set[str]:
        """Who has a seat. Forgets who stopped waiting, who never came, and who came and left again."""
        now = self._clock()
        inside = set(self._inside())
        left = self._arrived - inside
        self._arrived = inside & self._coming.keys()
        self._coming = {name: until for name, until in self._coming.items() if until > now and name not in left}
        for name in [name for name, until in self._gone_at.items() if until <= now]:
            del self._gone_at[name]
        return inside | self._coming.keys()


def active_names(users: Any) -> frozenset[str]:
    """Names of the users (JupyterHub's `UserDict`) with a server that runs, starts or stops."""
    return frozenset(user.name for user in users.values() if user.active)
