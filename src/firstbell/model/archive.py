"""The archive of a course at the end of its term, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FORMAT = 1
INDEX = "archive.json"
"""In the archive's folder: what all there must be; written last."""
PEOPLE = "people"
COURSE = "course"
"""Name of the archive of what is nobody's own."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One archive as it was written, and read again."""

    name: str
    """Below the archive's folder, without its ends `.tar.gz` and `.json`."""
    user: str
    """Whose it is; empty for the course's own."""
    home: str
    """The volume or folder that was the home; empty for none."""
    at: float
    """Unix seconds at which it was begun."""
    sha256: str
    """Of the archive's file."""
    size: int
    """Bytes of the archive's file."""
    files: Mapping[str, tuple[int, str]]
    """Length and SHA-256 of each file in it, by its path."""

    @property
    def bytes_inside(self) -> int:
        """Bytes of all files in it."""
        return sum(size for size, _ in self.files.values())


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is not as it was written."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class ArchivePerson:
    """Write and read again what is one person's."""

    user: str
    name: str
    home: str = ""

    def __str__(self) -> str:
        return f"archive {self.user or self.home}"


@dataclass(frozen=True, slots=True)
class ArchiveCourse:
    """Write and read again what is nobody's own: course file, record, grade book, assignments."""

    course: str

    def __str__(self) -> str:
        return f"archive the record, the grade book and the assignments of {self.course}"


@dataclass(frozen=True, slots=True)
class CloseArchive:
    """Write down what all there is."""

    folder: str

    def __str__(self) -> str:
        return f"write {self.folder}/{INDEX}"


ArchiveStep = ArchivePerson | ArchiveCourse | CloseArchive
