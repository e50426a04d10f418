"""What the gradebook is told of people and deadlines, from the hub's own books."""

from __future__ import annotations

from datetime import UTC, datetime

from firstbell.coursework.book import Book
from firstbell.coursework.nbgrader_grader import About
from firstbell.hub.coursework.people import Roll


class GradebookFacts:
    """The roster's names and addresses, the book's deadlines and extensions."""

    def __init__(self, book: Book, roll: Roll) -> None:
        self._book = book
        self._roll = roll

    def tell(self, assignment: str, user: str) -> About:
        """Of somebody, or with "" of the assignment alone."""
        found = self._book.assignment(assignment)
        due = found.due if found else None
        own = self._book.deadline(assignment, user) if user else due
        person = self._roll.person(user) if user else None
        first, _, last = (person.name if person else "").rpartition(" ")
        return About(
            due=datetime.fromtimestamp(due, UTC).isoformat() if due is not None else "",
            extension_seconds=own - due if own is not None and due is not None else 0.0,
            first_name=first,
            last_name=last,
            email=person.email if person else "",
        )
