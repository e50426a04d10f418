"""Where the hub's pages ask about coursework: in a thread beside the hub's own work.

A hand-in is on the disk before its page answers, and somebody else may be writing the book: neither may hold up a
login.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from firstbell.coursework.book import Book
from firstbell.coursework.layout import Layout
from firstbell.hub.coursework.ask import Coursework
from firstbell.hub.coursework.people import Roll
from firstbell.hub.coursework.report import Report
from firstbell.hub.people.book import PeopleStore, open_store
from firstbell.hub.records import acts as acts_file
from firstbell.hub.records.acts import ActsBook
from firstbell.model.course import Course

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Opened:
    """The book and what reads and writes it; for the thread that has opened it."""

    course: Course
    layout: Layout
    book: Book
    roll: Roll
    acts: Coursework
    report: Report
    store: PeopleStore
    record: ActsBook

    def close(self) -> None:
        """Let go of the files."""
        self.book.close()
        self.store.close()
        self.record.close()


def opened(course: Course, state: Path, folder: Path, now: Callable[[], float] = time.time) -> Opened:
    """Of these files. Raises FirstbellError for damaged ones, sqlite3.OperationalError."""
    layout, store = Layout(folder), open_store(state)
    book, roll = Book(layout.book, now), Roll(course, store)
    record = ActsBook(state / acts_file.FILE, now)
    acts = Coursework(course, layout, book, roll, record, now=now)
    return Opened(course, layout, book, roll, acts, Report(course, layout, book, roll), store, record)


class Counter:
    """One per hub process of a course with coursework. Opens the files when it is first asked."""

    def __init__(self, course: Course, state: Path, folder: Path) -> None:
        self.course = course
        self.state, self.folder = state, folder
        self._thread = ThreadPoolExecutor(1, "coursework")
        self._opened: Opened | None = None

    async def ask(self, question: Callable[[Opened], Answer]) -> Answer:
        """The answer of `question`, which runs in the thread. Raises what it raises, and what `opened` does."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def close(self) -> None:
        """Let go of the files, once what was asked is answered."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _answer(self, question: Callable[[Opened], Answer]) -> Answer:
        if self._opened is None:
            self._opened = opened(self.course, self.state, self.folder)
        return question(self._opened)

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
