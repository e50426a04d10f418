"""What the coursework keeps of one person: told for an export, and taken out for an erasure."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.coursework.book import Book
from firstbell.coursework.files import regular
from firstbell.coursework.layout import Layout
from firstbell.errors import CourseBusy, CourseFileError
from firstbell.model.coursework import State, folder_of
from firstbell.sqlite import transaction

_OF_USER = ("handins", "tasks", "extensions")
"""Tables of the book with a column `user`."""
_SUBMITTED = "SELECT id FROM submitted_assignment WHERE student_id = ?"
_NOTEBOOKS = "SELECT id FROM submitted_notebook WHERE assignment_id IN (" + _SUBMITTED + ")"  # noqa: S608 - as it is here
_GRADEBOOK = (
    "DELETE FROM grade WHERE notebook_id IN (" + _NOTEBOOKS + ")",  # noqa: S608
    "DELETE FROM comment WHERE notebook_id IN (" + _NOTEBOOKS + ")",  # noqa: S608
    "DELETE FROM submitted_notebook WHERE assignment_id IN (" + _SUBMITTED + ")",  # noqa: S608
    "DELETE FROM submitted_assignment WHERE student_id = ?",
    "DELETE FROM student WHERE id = ?",
)
"""Nbgrader's tables (its api.py), what points at something before what it points at."""
_GRADES = """
SELECT assignment.name AS assignment, notebook.name AS notebook, base_cell.name AS cell, grade.auto_score,
  grade.manual_score, grade.extra_credit, grade.needs_manual_grade
FROM grade JOIN submitted_notebook AS mine ON mine.id = grade.notebook_id
JOIN submitted_assignment AS handed ON handed.id = mine.assignment_id AND handed.student_id = ?
JOIN assignment ON assignment.id = handed.assignment_id LEFT JOIN notebook ON notebook.id = mine.notebook_id
LEFT JOIN base_cell ON base_cell.id = grade.cell_id ORDER BY 1, 2, 3
"""
_COMMENTS = """
SELECT assignment.name AS assignment, notebook.name AS notebook, base_cell.name AS cell, comment.auto_comment,
  comment.manual_comment
FROM comment JOIN submitted_notebook AS mine ON mine.id = comment.notebook_id
JOIN submitted_assignment AS handed ON handed.id = mine.assignment_id AND handed.student_id = ?
JOIN assignment ON assignment.id = handed.assignment_id LEFT JOIN notebook ON notebook.id = mine.notebook_id
LEFT JOIN base_cell ON base_cell.id = comment.cell_id ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Work:
    """Somebody's coursework. `folders` are below the volume's root, relative to it."""

    rows: Mapping[str, list[dict[str, Any]]]
    grades: list[dict[str, Any]]
    comments: list[dict[str, Any]]
    folders: tuple[str, ...]
    files: int

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of each."""
        kinds = {kind: len(rows) for kind, rows in self.rows.items()}
        return {**kinds, "grades": len(self.grades), "files": self.files}


def work_of(layout: Layout, user: str) -> Work:
    """All of it. Raises sqlite3.Error, FirstbellError for a damaged book."""
    found = tuple(_folders(layout, user))
    with closing(Book(layout.book)) as book:
        rows = {table: _rows(book.db, f"SELECT * FROM {table} WHERE user = ?", user) for table in _OF_USER}  # noqa: S608
    grades: list[dict[str, Any]] = []
    comments: list[dict[str, Any]] = []
    if layout.gradebook.exists():
        with closing(sqlite3.connect(layout.gradebook, timeout=15)) as db:
            grades, comments = _rows(db, _GRADES, user), _rows(db, _COMMENTS, user)
    files = sum(1 for folder in found for _ in regular(folder))
    return Work(rows, grades, comments, tuple(str(one.relative_to(layout.root)) for one in found), files)


def erase_work(layout: Layout, user: str) -> None:
    """Take it out: rows first, so that nothing is begun any more, then files. Twice is the same as once.

    Raises CourseBusy while something of theirs is being done, sqlite3.Error, OSError.
    """
    with closing(Book(layout.book)) as book:
        book.db.execute("PRAGMA secure_delete = ON")
        with book.writing() as db:
            if db.execute("SELECT 1 FROM tasks WHERE user = ? AND state = ?", (user, State.DOING)).fetchone():
                raise CourseBusy(
                    f"the desk is at work for {user}", next_step=f"In a minute: firstbell people erase {user}"
                )
            for table in _OF_USER:
                db.execute(f"DELETE FROM {table} WHERE user = ?", (user,))  # noqa: S608 - names of our own
        book.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if layout.gradebook.exists():
        with closing(sqlite3.connect(layout.gradebook, timeout=15, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            with transaction(db):
                for statement in _GRADEBOOK:
                    db.execute(statement, (user,))
    for folder in _folders(layout, user):
        shutil.rmtree(folder)


def _folders(layout: Layout, user: str) -> Iterator[Path]:
    """Where their files are. Nothing of a name that can be no folder's."""
    with suppress(CourseFileError):
        name = folder_of(user)
        below = (layout.root / kind for kind in ("submitted", "autograded", "feedback"))
        assignments = sorted((layout.root / "handins").glob("*/"))
        for parent in (*assignments, *below):
            if (folder := parent / name).is_dir() and not folder.is_symlink():
                yield folder


def _rows(db: sqlite3.Connection, query: str, user: str) -> list[dict[str, Any]]:
    found = db.execute(query, (user,))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
