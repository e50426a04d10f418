"""The desk: does what is due in the book, as much at once as the machine takes."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from firstbell.coursework.acts import Acts, Outcome
from firstbell.coursework.book import Book
from firstbell.coursework.layout import Layout
from firstbell.coursework.store import clear
from firstbell.errors import CourseBusy, CourseFileError, EngineUnavailable, FirstbellError, GradingFailed, HomeMissing
from firstbell.model.coursework import Kind, State, Task

LOG = logging.getLogger("firstbell.coursework")

LOOK_EVERY = 0.5
"""Seconds between two looks into the book."""
_AGAIN, _LONGEST = 5.0, 60.0
"""Seconds until what failed is tried again; twice as long each time, to a bound."""
_TRIES = 4
"""How often something is tried that fails although the engine answers."""


class Desk:
    """One per course; whoever is killed at it is followed by another one."""

    def __init__(self, layout: Layout, book: Book, acts: Acts, slots: Callable[[], int]) -> None:
        """`slots`: how many tasks the machine takes at present, at least one."""
        self._layout = layout
        self._book = book
        self._acts = acts
        self._slots = slots
        self._running: set[asyncio.Task[None]] = set()
        self._made: dict[str, str] = {}

    def open(self) -> None:
        """What whoever was killed was at is to be done again; what was half-written goes."""
        clear(self._layout)
        if left := self._book.begin_anew():
            LOG.info("Going on with %d tasks that were under way", left)

    async def run(self, alive: Callable[[], bool]) -> None:
        """Until `alive` says no. No failure ends it."""
        self.open()
        while alive():
            try:
                await self.look()
            except (OSError, sqlite3.Error) as error:
                LOG.warning("The coursework's book cannot be used at present, trying again: %s", error)
            except Exception:
                LOG.exception("Looking after the coursework failed, trying again")
            await self._next()
        await self.finish()

    async def _next(self) -> None:
        """Until a task has ended, or it is time for another look."""
        if self._running:
            await asyncio.wait(self._running, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> int:
        """Begin what is due and has room; how many that were. Raises OSError, sqlite3.Error."""
        self._make_early()
        if not self._book.due(1):
            return 0
        free = self._slots() - len(self._running)
        if free <= 0:
            return 0
        begun = 0
        for task in self._book.due(free + len(self._running)):
            if begun < free and self._book.begin(task):
                begun += 1
                self._keep(self._do(task))
        return begun

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._running:
            await asyncio.wait(set(self._running))

    def _make_early(self) -> None:
        """Student versions of what waits for its time: who asked hears today that a notebook cannot be released."""
        waiting = {task.assignment for task in self._book.open_tasks() if task.kind is Kind.RELEASE}
        for one in self._book.assignments():
            if one.name in waiting and one.made != one.source and self._made.get(one.name) != one.source:
                self._made[one.name] = one.source
                self._keep(self._make(one.name))

    async def _make(self, assignment: str) -> None:
        try:
            await self._acts.make(assignment)
        except CourseFileError as error:
            self._book.cancel(Kind.RELEASE, assignment, words_of(error), State.FAILED)
        except (FirstbellError, OSError, sqlite3.Error) as error:
            LOG.warning("%s cannot be made for release now, which its release will try again: %s", assignment, error)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _do(self, task: Task) -> None:
        try:
            outcome = await self._outcome(task)
            if outcome is not None:
                self._book.end(task, outcome.state, outcome.words, outcome.receipt)
        except (OSError, sqlite3.Error) as error:
            LOG.warning("%s of %s for %s is tried again: %s", task.kind, task.assignment, task.user, error)
            self._later(task, f"{error.strerror or error}" if isinstance(error, OSError) else str(error))

    async def _outcome(self, task: Task) -> Outcome | None:
        """How it ended; None where it is tried again."""
        try:
            return await self._acts.do(task)
        except (EngineUnavailable, CourseBusy) as error:
            self._later(task, error.what)
            return None
        except (CourseFileError, HomeMissing, GradingFailed) as error:
            # What hangs or means harm would take as long, and do the same, each time.
            return Outcome(State.FAILED, words_of(error))
        except FirstbellError as error:
            if task.tries + 1 >= _TRIES:
                return Outcome(State.FAILED, words_of(error))
            self._later(task, error.what)
            return None
        except (OSError, sqlite3.Error):
            raise
        except Exception as error:
            LOG.exception("%s of %s for %s failed", task.kind, task.assignment, task.user)
            return Outcome(State.FAILED, f"unexpected: {error}; see: firstbell logs hub")

    def _later(self, task: Task, words: str) -> None:
        pause = min(_LONGEST, _AGAIN * 2**task.tries)
        try:
            self._book.again(task, self._book.now() + pause, f"trying again: {words}")
        except sqlite3.Error:
            LOG.warning("%s of %s for %s is done again by the next desk", task.kind, task.assignment, task.user)


def words_of(error: FirstbellError) -> str:
    """An error for a line of a list."""
    return f"{error.what} ({error.next_step})" if error.next_step else error.what
