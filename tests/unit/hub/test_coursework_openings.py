"""Who has opened an assignment, as their server tells it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firstbell.coursework.book import Book
from firstbell.hub.coursework.openings import Openings
from firstbell.model.coursework import Assignment, assignment_of


class Desk:
    """Answers in the test's own thread, and fails as often as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.book = Book(folder / "book.sqlite")
        self.book.keep(Assignment("hw1"))
        self.asked = self.failures = 0

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        """One answer."""
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return question(SimpleNamespace(book=self.book))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """With one assignment."""
    return Desk(tmp_path)


async def told(openings: Openings, *reports: tuple[str, str]) -> None:
    """What servers tell, each after the other."""
    for user, notebook in reports:
        openings.note(user, notebook)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_each_opening_is_asked_for_once(desk: Desk):
    """A server tells every minute; the file is written once."""
    openings = Openings(desk, "assignments")  # type: ignore[arg-type]
    await told(openings, *[("ada", "assignments/hw1/one.ipynb")] * 3, ("ada", "mine.ipynb"), ("ben", "../hw1/x.ipynb"))
    assert set(desk.book.openings("hw1")) == {"ada"} and desk.asked == 1


async def test_what_could_not_be_noted_comes_with_the_next_report(desk: Desk, caplog: pytest.LogCaptureFixture):
    """A full disk loses one report, and no more."""
    openings, desk.failures = Openings(desk, "assignments"), 1  # type: ignore[arg-type]
    await told(openings, ("ada", "assignments/hw1/one.ipynb"))
    assert not desk.book.openings("hw1") and "disk is full" in caplog.text
    await told(openings, ("ada", "assignments/hw1/one.ipynb"))
    assert set(desk.book.openings("hw1")) == {"ada"}


@pytest.mark.parametrize(
    ("path", "folder", "name"),
    [
        ("assignments/hw1/a/b.ipynb", "assignments", "hw1"),
        ("hw1/b.ipynb", "", "hw1"),
        ("hw1/b.ipynb", "assignments", ""),
        ("assignments/hw1", "assignments", ""),
        ("assignments/feedback/hw1.ipynb", "assignments", ""),
        ("assignments/../hw1.ipynb", "assignments", ""),
        ("assignments/hw1 (before)/x.ipynb", "assignments", ""),
    ],
)
def test_a_path_is_of_one_assignment_or_of_none(path: str, folder: str, name: str):
    """By the folder in which the hub puts them."""
    assert assignment_of(path, folder) == name
