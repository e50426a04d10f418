"""What the gradebook is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from firstbell.coursework.book import Book
from firstbell.coursework.nbgrader_grader import About
from firstbell.hub.coursework.gradebook_facts import GradebookFacts
from firstbell.hub.coursework.people import Roll
from firstbell.model.coursework import Assignment
from firstbell.model.roster import Person


class OnePerson:
    """A roll of one."""

    def person(self, user: str) -> Person | None:
        return Person("ann", "Ann Marie Lee", "ann@example.org") if user == "ann" else None


def facts(tmp_path: Path, **assignment: Any) -> tuple[Book, GradebookFacts]:
    book = Book(tmp_path / "book.sqlite")
    book.keep(Assignment("ps1", **assignment))
    return book, GradebookFacts(book, cast("Roll", OnePerson()))


def test_names_deadlines_and_extensions(tmp_path: Path) -> None:
    """The last word of a name is the last name; an extension is what is more than the assignment's own time."""
    book, told = facts(tmp_path, due=1_000_000.0)
    book.extend("ps1", "ann", 1_000_600.0)
    assert told.tell("ps1", "ann") == About("1970-01-12T13:46:40+00:00", 600.0, "Ann Marie", "Lee", "ann@example.org")
    assert told.tell("ps1", "bob") == About("1970-01-12T13:46:40+00:00")
    assert told.tell("ps1", "") == About("1970-01-12T13:46:40+00:00")


def test_without_a_deadline_nothing_is_said_of_one(tmp_path: Path) -> None:
    """Nor of an extension."""
    _, told = facts(tmp_path)
    assert told.tell("ps1", "bob") == told.tell("none", "bob") == About()
