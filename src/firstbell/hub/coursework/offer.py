"""An assignment's folder as it comes from the course's folder: checked, and put in place of the older one at once."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from firstbell.coursework.book import Book
from firstbell.coursework.files import put_in_place, regular, taken_files
from firstbell.coursework.layout import Layout
from firstbell.errors import CourseFileError
from firstbell.model.coursework import Assignment, digest_of, parse_assignment

OFFERED = ".offered"
"""Where the command line puts what it brings, each in a folder of its own."""
_LEFT = 3600.0
"""Seconds after which what a command brought that was killed is nobody's."""
_MARKS = (b'"nbgrader"', b"BEGIN SOLUTION", b"BEGIN HIDDEN TESTS")
"""In the metadata of a cell that nbgrader made; and what nobody is to be handed, should such metadata be missing."""


def take_over(layout: Layout, book: Book, name: str, offered: str) -> Assignment:
    """Make what was brought the assignment's source; the assignment, with its deadline as it was.

    Raises CourseFileError for a name that can be none, or where nothing was brought.
    """
    try:
        parse_assignment(name)
    except ValueError as error:
        raise CourseFileError(str(error)) from None
    folder = layout.root / OFFERED / Path(offered).name
    files = taken_files(folder)
    if not files:
        raise CourseFileError(f"the folder of {name} holds no files", where=f"assignments/{name}")
    known = book.assignment(name) or Assignment(name)
    made = replace(known, source=digest_of(files), has_notebooks=has_tests(folder))
    if made.source != known.source or not layout.source(name).is_dir():
        put_in_place(folder, layout.source(name))
    book.keep(made)
    shutil.rmtree(folder, ignore_errors=True)
    _forget_left(layout)
    return made


def has_tests(folder: Path) -> bool:
    """Whether nbgrader has something to do with it: a notebook with a cell of its own making, or with a solution."""
    texts = (path.read_bytes() for path in regular(folder) if path.suffix == ".ipynb")
    return any(mark in text for text in texts for mark in _MARKS)


def _forget_left(layout: Layout) -> None:
    for left in (layout.root / OFFERED).glob("*"):
        if time.time() - left.stat().st_mtime > _LEFT:
            shutil.rmtree(left, ignore_errors=True)
