"""Who still waits for the start that their click began, as far as their browsers show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LEFT = 15.0
"""Seconds in which somebody who left the page (or reloaded it) finds their place again."""
SILENT = 75.0
"""Seconds after which a page that fell silent without a word has gone. A frozen phone, a hall whose Wi-Fi fails for a
moment, and a hidden page that may tick only once a minute keep their place."""


@dataclass(slots=True)
class _Page:
    """One person's waiting page, or several of them."""

    streams: int = 0
    seen: float = 0.0
    left: float | None = None


class Presence:
    """Each waiting page follows its start's progress in a stream; as it closes it says so.

    Only starts that a person's own click began are listed: nobody need watch those of bells, of staff, of programs.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: dict[str, _Page] = {}

    @contextmanager
    def waits(self, user: str) -> Iterator[None]:
        """`user` clicked, and waits until the start is over."""
        page = self._pages[user] = _Page(seen=self._clock())
        try:
            yield
        finally:
            if self._pages.get(user) is page:
                del self._pages[user]

    def seen(self, user: str) -> None:
        """The waiting page was asked for: without script that is all there is to be seen of it."""
        if page := self._pages.get(user):
            page.seen, page.left = self._clock(), None

    def opened(self, user: str) -> Callable[[], None]:
        """A page follows the progress; call what is returned, once or more often, when that has ended."""
        page = self._pages.get(user)
        if page is None:
            return lambda: None
        page.streams += 1
        page.left = None
        open_ones = [page]

        def closed() -> None:
            if open_ones:
                ended = open_ones.pop()
                ended.streams -= 1
                ended.seen = self._clock()

        return closed

    def left(self, user: str) -> None:
        """A waiting page says that it is being closed, or reloaded."""
        if page := self._pages.get(user):
            page.left = self._clock()

    def gone(self) -> list[str]:
        """Whose pages are no more."""
        now = self._clock()
        return [user for user, page in self._pages.items() if not page.streams and _until(page) <= now]


def _until(page: _Page) -> float:
    return page.seen + SILENT if page.left is None else max(page.seen, page.left) + LEFT
