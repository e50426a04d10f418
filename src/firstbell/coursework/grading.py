"""What the desk needs of a grader; `Plain` for assignments that are only files."""

from __future__ import annotations

from typing import Protocol

from firstbell.coursework.book import Book
from firstbell.coursework.files import replace_folder
from firstbell.coursework.layout import Layout
from firstbell.errors import CourseFileError


class Grader(Protocol):
    """Makes student versions, grades and feedback. Every verb is repeatable: twice is the same as once."""

    async def release(self, assignment: str) -> str:
        """Make `release/NAME` from `source/NAME`, whole or not at all; words for people, or empty.

        Raises FirstbellError with what nbgrader says of a notebook.
        """
        ...

    async def grade(self, assignment: str, user: str) -> str:
        """Grade what is in `submitted/USER/NAME`; what came of it in words. Raises FirstbellError."""
        ...

    async def feedback(self, assignment: str, user: str) -> str:
        """Make `feedback/USER/NAME`; the points that are given back, in words, or empty. Raises FirstbellError."""
        ...


class ByNotebooks:
    """For assignments with notebooks one grader, for those without another."""

    def __init__(self, book: Book, notebooks: Grader, plain: Grader) -> None:
        self._book = book
        self._notebooks = notebooks
        self._plain = plain

    async def release(self, assignment: str) -> str:
        """See Grader.release."""
        return await self._of(assignment).release(assignment)

    async def grade(self, assignment: str, user: str) -> str:
        """See Grader.grade."""
        return await self._of(assignment).grade(assignment, user)

    async def feedback(self, assignment: str, user: str) -> str:
        """See Grader.feedback."""
        return await self._of(assignment).feedback(assignment, user)

    def _of(self, assignment: str) -> Grader:
        found = self._book.assignment(assignment)
        return self._notebooks if found and found.has_notebooks else self._plain


class Plain:
    """Files as they are: handed out unchanged, graded by hand into `feedback/USER/NAME`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def release(self, assignment: str) -> str:
        """The source itself."""
        replace_folder(self._layout.source(assignment), self._layout.release(assignment), self._layout.incoming)
        return ""

    async def grade(self, assignment: str, user: str) -> str:
        """There is nothing that could grade it."""
        raise CourseFileError(
            f"{assignment} has no notebooks with tests, so there is nothing to grade {user} by",
            where=assignment,
            next_step=f"Put what they shall get into feedback/USER/{assignment} and run: firstbell return {assignment}",
        )

    async def feedback(self, assignment: str, user: str) -> str:
        """Whatever somebody put there."""
        del assignment, user
        return ""
