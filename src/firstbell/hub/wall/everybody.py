"""The wall: everybody of the course as the hub knows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from firstbell.hub.wall.live import Live
from firstbell.hub.wall.rows import Facts, Row, count_states, row_of


class Wall(Live[Row]):
    """`gather` reads the facts, `render` makes a row's HTML, `limit` is a server's memory in bytes."""

    def __init__(
        self,
        gather: Callable[[], Iterable[Facts]],
        render: Callable[[Row], str],
        limit: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lambda: (row_of(facts, limit, now()) for facts in gather()), render, count_states, clock=clock)
