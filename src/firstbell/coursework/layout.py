"""Where things are in the coursework's folder: nbgrader's own course layout, and ours beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firstbell.model.coursework import folder_of, parse_assignment

BOOK = "book.sqlite"
TIMESTAMP = "timestamp.txt"
"""nbgrader's: when the submission was made."""
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `root`. Names of assignments and users are checked: raises ValueError, CourseFileError."""

    root: Path

    @property
    def book(self) -> Path:
        """The tasks, hand-ins and extensions."""
        return self.root / BOOK

    @property
    def gradebook(self) -> Path:
        """Nbgrader's."""
        return self.root / "gradebook.db"

    @property
    def nbgrader_config(self) -> Path:
        """Nbgrader's."""
        return self.root / "nbgrader_config.py"

    @property
    def incoming(self) -> Path:
        """What is being written; whatever is there when the desk starts is nobody's."""
        return self.root / ".incoming"

    def source(self, assignment: str) -> Path:
        """As the instructors wrote it, with solutions and tests."""
        return self.root / "source" / parse_assignment(assignment)

    def release(self, assignment: str) -> Path:
        """The student version."""
        return self.root / "release" / parse_assignment(assignment)

    def submitted(self, user: str, assignment: str) -> Path:
        """The hand-in that counts."""
        return self.root / "submitted" / folder_of(user) / parse_assignment(assignment)

    def autograded(self, user: str, assignment: str) -> Path:
        """Nbgrader's."""
        return self.root / "autograded" / folder_of(user) / parse_assignment(assignment)

    def feedback(self, user: str, assignment: str) -> Path:
        """What `return` gives back."""
        return self.root / "feedback" / folder_of(user) / parse_assignment(assignment)

    def handins(self, assignment: str, user: str) -> Path:
        """All hand-ins of somebody, each in a folder of its own that never changes."""
        return self.root / "handins" / parse_assignment(assignment) / folder_of(user)

    def handin(self, assignment: str, user: str, identity: str) -> Path:
        """One of them: `files/` and `manifest.json`."""
        return self.handins(assignment, user) / identity
