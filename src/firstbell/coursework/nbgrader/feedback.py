"""Pages of feedback of one submission, by nbgrader: points and comments beside the executed notebook."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException

from firstbell.coursework.nbgrader.grades import read_grades
from firstbell.coursework.nbgrader.place import MAKING, Place, Refused, first_line, making, put_in_place
from firstbell.coursework.nbgrader.shown import make_harmless


def make_feedback(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """`feedback/USER/NAME` from `autograded/USER/NAME`. Raises Refused."""
    assignment, user = job["assignment"], job["user"]
    graded = place.root / "autograded" / user / assignment
    if not graded.is_dir():
        raise Refused(f'"{assignment}" of {user} has not been graded')
    make_harmless()
    with making(place.root) as folder:
        directory = place.directory(assignment, glob.escape(user))
        directory.feedback_directory = f"{MAKING}/{folder.name}"
        converter = _Feedback(graded, coursedir=directory, config=place.config, force=True)
        try:
            converter.start()
        except NbGraderException as error:
            raise Refused(*(converter.failed or [str(error)])) from error
        made = folder / user / assignment
        pages = sorted(path.relative_to(made).as_posix() for path in made.rglob("*.html"))
        [row] = read_grades(place, job)["rows"]
        put_in_place(made, place.root / "feedback" / user / assignment)
    points = {name: row[name] for name in ("score", "max_score", "needs_manual", "late_penalty")}
    return {"pages": pages, "remarks": [], **points}


class _Feedback(GenerateFeedback):
    """nbgrader's own, for exactly one folder, whatever characters its name has."""

    def __init__(self, graded: Path, **words: Any) -> None:
        self.graded = graded
        self.failed: list[str] = []
        super().__init__(**words)

    def init_notebooks(self) -> None:
        found = [str(path) for path in sorted(self.graded.glob("*.ipynb"))]
        self.assignments = {str(self.graded): found}

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Only pages: what else was handed in is in the person's own files already."""

    def convert_single_notebook(self, notebook_filename: str) -> None:
        try:
            super().convert_single_notebook(notebook_filename)
        except Exception as error:
            self.failed.append(f"{Path(notebook_filename).name}: {first_line(error)}")
            raise
