"""What the coursework keeps of one person, told and taken out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from firstbell.coursework.book import Book
from firstbell.coursework.layout import Layout
from firstbell.coursework.person import erase_work, work_of
from firstbell.errors import CourseBusy

GRADEBOOK = """
CREATE TABLE assignment (id TEXT, name TEXT);
CREATE TABLE notebook (id TEXT, name TEXT, assignment_id TEXT);
CREATE TABLE base_cell (id TEXT, name TEXT, notebook_id TEXT, type TEXT);
CREATE TABLE student (id TEXT, first_name TEXT, last_name TEXT, email TEXT);
CREATE TABLE submitted_assignment (id TEXT, assignment_id TEXT, student_id TEXT);
CREATE TABLE submitted_notebook (id TEXT, assignment_id TEXT, notebook_id TEXT);
CREATE TABLE grade (
  id TEXT, cell_id TEXT, notebook_id TEXT, auto_score REAL, manual_score REAL, extra_credit REAL, needs_manual_grade INT
);
CREATE TABLE comment (id TEXT, cell_id TEXT, notebook_id TEXT, auto_comment TEXT, manual_comment TEXT);
INSERT INTO assignment VALUES ('a', 'ps1');
INSERT INTO notebook VALUES ('n', 'p1', 'a');
INSERT INTO base_cell VALUES ('c', 'square', 'n', 'GradeCell');
"""
"""As nbgrader's api.py has it, of what is read here."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    with closing(Book(layout.book)) as book, book.writing() as db:
        for user in ("ada", "bob"):
            db.execute("INSERT INTO extensions VALUES ('ps1', ?, 5)", (user,))
            columns = "kind, assignment, user, at, asked, by, batch"
            db.execute(f"INSERT INTO tasks ({columns}) VALUES ('release', 'ps1', ?, 1, 1, 'g', 'b')", (user,))
    with closing(sqlite3.connect(layout.gradebook)) as db:
        db.executescript(GRADEBOOK)
        for user in ("ada", "bob"):
            db.execute("INSERT INTO student VALUES (?, 'A', 'L', 'x@example.org')", (user,))
            db.execute("INSERT INTO submitted_assignment VALUES (?, 'a', ?)", (f"s{user}", user))
            db.execute("INSERT INTO submitted_notebook VALUES (?, ?, 'n')", (f"m{user}", f"s{user}"))
            db.execute("INSERT INTO grade VALUES (?, 'c', ?, 2, NULL, NULL, 0)", (f"g{user}", f"m{user}"))
            db.execute("INSERT INTO comment VALUES (?, 'c', ?, NULL, 'well')", (f"k{user}", f"m{user}"))
        db.commit()
    for user in ("ada", "bob"):
        for folder in (f"handins/ps1/{user}/1/files", f"submitted/{user}/ps1", f"feedback/{user}/ps1"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "a.txt").write_text(user)
    return layout


def test_all_of_one_person_and_nothing_of_another(layout: Layout) -> None:
    """Rows of the book, points and comments by name, and the folders with their files."""
    work = work_of(layout, "ada")
    assert work.counts == {"handins": 0, "tasks": 1, "extensions": 1, "grades": 1, "files": 3}
    assert {row["user"] for rows in work.rows.values() for row in rows} == {"ada"}
    assert work.grades[0] | {"assignment": "ps1", "cell": "square", "auto_score": 2.0} == work.grades[0]
    assert work.comments[0]["manual_comment"] == "well"
    assert work.folders == ("handins/ps1/ada", "submitted/ada", "feedback/ada")


def test_an_erasure_leaves_others_and_no_byte(layout: Layout) -> None:
    """Twice is the same as once; neither files nor databases have the name afterwards."""
    for _ in range(2):
        erase_work(layout, "ada")
    assert not any(work_of(layout, "ada").counts.values())
    assert work_of(layout, "bob").counts == {"handins": 0, "tasks": 1, "extensions": 1, "grades": 1, "files": 3}
    for path in (layout.book, layout.gradebook):
        assert b"ada" not in path.read_bytes()


def test_what_is_being_done_is_waited_for(layout: Layout) -> None:
    """The desk would write again what was taken out: refused, with what to type, and nothing is gone."""
    with closing(Book(layout.book)) as book:
        book.db.execute("UPDATE tasks SET state = 'doing' WHERE user = 'ada'")
    with pytest.raises(CourseBusy, match="at work for ada") as error:
        erase_work(layout, "ada")
    assert error.value.next_step.endswith("firstbell people erase ada")
    assert work_of(layout, "ada").counts["files"] == 3


@pytest.mark.parametrize("user", ["..", ".", "a/b", ""])
def test_names_that_are_no_folders_have_none(layout: Layout, user: str) -> None:
    """Whatever a login calls somebody, nothing outside of their own folders is touched."""
    erase_work(layout, user)
    assert work_of(layout, user).folders == ()
    assert work_of(layout, "bob").counts["files"] == 3
