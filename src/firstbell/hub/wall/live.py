"""One picture of everybody, shared by all who look at it, and to each only what has changed since.

Nothing is looked at while nobody watches. A look reads what the hub holds in memory and small queries; it never asks
the engine. How often it looks is bounded by what a look costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from firstbell.coursework.rights import Rights
from firstbell.model.roster import PersonRole

LOG = logging.getLogger("firstbell.live")

LOOK_EVERY = 1.0
"""Seconds between two looks: what changes is on every watcher's screen within two."""
SHARE = 0.03
"""Of one core, that looks may take: with thousands of people there are fewer of them."""
HEARTBEAT = 15.0
"""Seconds after which a calm stream says that it lives, and asks whether its reader may still read."""
_GONE_KEPT = 600.0
"""Seconds for which it is known that somebody has gone from the wall; whoever was away longer gets a new page."""

_LONGEST_MARK = 12


class Seen(Protocol):
    """One person as a page shows them: two that are equal look alike."""

    @property
    def username(self) -> str:
        """Whose row it is."""
        ...

    @property
    def section(self) -> str:
        """Theirs: graders may see some sections alone."""
        ...

    @property
    def role(self) -> PersonRole:
        """What they are."""
        ...


R = TypeVar("R", bound=Seen)


@dataclass(frozen=True, slots=True)
class Shown(Generic[R]):
    """A row as HTML, and the look that found it new."""

    row: R
    html: str
    version: int


class Live(Generic[R]):
    """`gather` looks, `render` makes a row's HTML, `count` what a page says of all rows that its reader sees."""

    def __init__(
        self,
        gather: Callable[[], Iterable[R]],
        render: Callable[[R], str],
        count: Callable[[Iterable[R]], dict[str, int]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gather, self._render, self._count = gather, render, count
        self._clock = clock
        self._shown: dict[str, Shown[R]] = {}
        self._gone: dict[str, tuple[int, float, R]] = {}
        self._version = 0
        self._forgotten = 0
        """The last look of which it is no longer known who had gone."""
        self._looked = float("-inf")
        self._cost = 0.0
        self._changed = asyncio.Event()
        self._hurried = asyncio.Event()
        self._sent: dict[tuple[int, Rights], str] = {}
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None
        self._run = secrets.token_hex(4)

    @property
    def mark(self) -> str:
        """Names this hub's run and the last look that found something new."""
        return f"{self._run}-{self._version}"

    def rows(self, rights: Rights) -> list[Shown[R]]:
        """Everybody whom these rights cover, as of now (at most a look's pause ago)."""
        self._look_if_due()
        return [shown for shown in self._shown.values() if _covers(rights, shown.row)]

    def row(self, username: str) -> R | None:
        """One person's, as of now."""
        self._look_if_due()
        shown = self._shown.get(username)
        return shown.row if shown else None

    def look(self) -> bool:
        """Read the facts and find what is new; whether anything is."""
        began, version = self._clock(), self._version + 1
        fresh = {row.username: row for row in self._gather()}
        changed = [row for name, row in fresh.items() if (old := self._shown.get(name)) is None or old.row != row]
        gone = [name for name in self._shown if name not in fresh]
        for row in changed:
            self._shown[row.username] = Shown(row, self._render(row), version)
            self._gone.pop(row.username, None)
        for name in gone:
            self._gone[name] = (version, self._clock(), self._shown.pop(name).row)
        self._looked = self._clock()
        self._cost = self._looked - began
        if changed or gone:
            self._announce(version)
        return bool(changed or gone)

    async def changes(self, rights: Rights, since: str) -> AsyncGenerator[tuple[str, str]]:
        """(mark, JSON) for each change that these rights cover since that mark, without end; ("", "") as a heartbeat.

        The JSON has `rows` (HTML by user name), `gone` and `counts`; or `reload` where nobody knows what has changed.
        """
        run, _, known = since.partition("-")
        version = int(known) if run == self._run and known.isdecimal() and len(known) < _LONGEST_MARK else -1
        if not self._forgotten <= version <= self._version:
            yield self.mark, json.dumps({"reload": True})
            return
        with _Watching(self):
            while True:
                changed = self._changed
                if version < self._version:
                    text, version = self._message(version, rights), self._version
                    if text:
                        yield self.mark, text
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), HEARTBEAT)
                except TimeoutError:
                    yield "", ""

    def _message(self, since: int, rights: Rights) -> str:
        """What has changed since that look, made once for all who ask alike; empty for nothing."""
        key = (since, rights)
        if key not in self._sent:
            rows = {
                name: shown.html
                for name, shown in self._shown.items()
                if shown.version > since and _covers(rights, shown.row)
            }
            gone = [name for name, (at, _, row) in self._gone.items() if at > since and _covers(rights, row)]
            counts = self._count(shown.row for shown in self._shown.values() if _covers(rights, shown.row))
            message = {"rows": rows, "gone": gone, "counts": counts}
            self._sent[key] = json.dumps(message) if rows or gone else ""
        return self._sent[key]

    def _announce(self, version: int) -> None:
        self._version = version
        old = self._clock() - _GONE_KEPT
        for name in [name for name, kept in self._gone.items() if kept[1] <= old]:
            self._forgotten = max(self._forgotten, self._gone.pop(name)[0])
        self._sent.clear()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def hurry(self) -> None:
        """Somebody has just done something: whoever watches sees it at once."""
        self._looked = float("-inf")
        self._hurried.set()

    def _look_if_due(self) -> None:
        if self._clock() - self._looked >= self._pause():
            self.look()

    def _pause(self) -> float:
        return max(LOOK_EVERY, self._cost / SHARE)

    async def _keep_looking(self) -> None:
        while self._watchers:
            try:
                self._look_if_due()
            except Exception:
                LOG.exception("Looking who is there failed, trying again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), self._pause())
            self._hurried.clear()

    def _watched(self, more: int) -> None:
        self._watchers += more
        if self._watchers and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._keep_looking())


class _Watching:
    """As long as this is entered, somebody watches."""

    def __init__(self, live: Live[Any]) -> None:
        self._live = live

    def __enter__(self) -> None:
        self._live._watched(1)  # noqa: SLF001 - one idea in two classes

    def __exit__(self, *_: object) -> None:
        self._live._watched(-1)  # noqa: SLF001


def _covers(rights: Rights, row: Seen) -> bool:
    return rights.covers(row.section, row.role)
