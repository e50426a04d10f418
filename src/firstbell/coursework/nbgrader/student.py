"""The student version of an assignment, by nbgrader, with what stands in its way in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions, InstantiateTests

from firstbell.coursework.nbgrader.check import Marks, source_problems
from firstbell.coursework.nbgrader.place import MAKING, Place, Refused, first_line, making, put_in_place, utc


def make_student_version(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """`release/NAME` from `source/NAME`, and the assignment in the gradebook. Raises Refused."""
    name = job["assignment"]
    notebooks = _checked(place, name)
    due = {"duedate": utc(job["due"])} if "due" in job else {}
    with place.gradebook() as gradebook:
        gradebook.update_or_create_assignment(name, **due)
    with making(place.root) as folder:
        _generate(place, name, folder)
        made = folder / name
        _no_solutions(made, _marks(place))
        put_in_place(made, place.root / "release" / name)
    with place.gradebook() as gradebook:
        points = gradebook.find_assignment(name).max_score
    return {"notebooks": notebooks, "max_score": points, "remarks": [] if points else ["nothing in it has points"]}


def _generate(place: Place, name: str, folder: Path) -> None:
    directory = place.directory(name)
    directory.release_directory = f"{MAKING}/{folder.name}"
    converter = _Generate(coursedir=directory, config=place.config, force=True)
    try:
        converter.start()
    except NbGraderException as error:
        raise Refused(*(converter.failed or [str(error)])) from error


class _Generate(GenerateAssignment):
    """nbgrader's own, which keeps what its log says of a failure."""

    def __init__(self, **words: Any) -> None:
        self.failed: list[str] = []
        super().__init__(**words)

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        try:
            super().init_assignment(assignment_id, student_id)
        except Exception as error:
            self.failed.append(_words(error))
            raise

    def convert_single_notebook(self, notebook_filename: str) -> None:
        try:
            super().convert_single_notebook(notebook_filename)
        except Exception as error:
            self.failed.append(f"{Path(notebook_filename).name}: {_words(error)}")
            raise


def _words(error: Exception) -> str:
    text = str(error)
    if "there are submissions associated with it" in text or "Cannot modify existing assignment" in text:
        return (
            "notebooks or graded cells were added, removed or renamed, but the gradebook has grades of this assignment "
            "already: give the changed one another name, or take the grades out with `nbgrader db assignment remove`"
        )
    return first_line(error)


def _checked(place: Place, name: str) -> list[str]:
    source = place.root / "source" / name
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise Refused(f"there is no notebook in source/{name}")
    marks, languages = _marks(place), frozenset(ClearSolutions(config=place.config).code_stub)
    problems = []
    for path in notebooks:
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
            found = source_problems(notebook, marks, languages)
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            found = [f"this is no notebook: {error}"]
        problems += [f"{path.name}: {problem}" for problem in found]
    if problems:
        raise Refused(*problems)
    return [path.stem for path in notebooks]


def _marks(place: Place) -> Marks:
    solutions, tests = ClearSolutions(config=place.config), ClearHiddenTests(config=place.config)
    scheme = ClearMarkScheme(config=place.config)
    return Marks(
        (solutions.begin_solution_delimeter, solutions.end_solution_delimeter),
        (tests.begin_test_delimeter, tests.end_test_delimeter),
        (scheme.begin_mark_scheme_delimeter, scheme.end_mark_scheme_delimeter),
        InstantiateTests(config=place.config).autotest_delimiter,
    )


def _no_solutions(folder: Path, marks: Marks) -> None:
    """What students get is looked at once more: a solution in it cannot be taken back."""
    for path in folder.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        for begin, _ in (marks.solution, marks.hidden_tests, marks.mark_scheme):
            if json.dumps(begin)[1:-1] in text:
                raise Refused(f'{path.name}: "{begin}" is still in the student version')
