"""The programs that work with nbgrader, with nbgrader itself, and nbgrader's own commands on what they leave."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.stories.coursework.conftest import BODIES, DUE, GOOD, HALF, POINTS, Classroom
from tests.support.assignment import SECRET, answered, as_text, code, mark, source
from tests.support.listening import free_port


def test_the_student_version_has_no_solutions_and_no_hidden_tests(open_class: Classroom) -> None:
    """Stubs stand in their place, the files beside are there, and doing it again changes nothing."""
    text = (open_class.root / "release/ps1/ps1.ipynb").read_text()
    assert SECRET not in text and "return x * x" not in text and "Because." not in text
    assert "raise NotImplementedError()" in text and "assert square(2) == 4" in text
    assert (open_class.root / "release/ps1/data.txt").read_text() == "ours"
    open_class.do("student", assignment="ps1")
    assert (open_class.root / "release/ps1/ps1.ipynb").read_text() == text
    assert list((open_class.root / ".incoming").iterdir()) == []


def test_a_mistake_in_the_source_changes_nothing(open_class: Classroom) -> None:
    """It is said in words, all of it at once, and students have what they had."""
    before = (open_class.root / "release/ps1/ps1.ipynb").read_text()
    made = source()
    made["cells"][1]["source"] = "### BEGIN SOLUTION"
    made["cells"][3]["metadata"]["nbgrader"]["grade_id"] = "test_square"
    (open_class.root / "source/ps1/ps1.ipynb").write_text(as_text(made))
    said = open_class.do("student", assignment="ps1")
    assert said == {
        "problems": [
            'ps1.ipynb: cell 2 ("square"): the solution that begins in line 1 is not closed: "END SOLUTION" is missing',
            'ps1.ipynb: cells 3 and 4 have the same grade id "test_square": each needs its own',
        ]
    }
    assert (open_class.root / "release/ps1/ps1.ipynb").read_text() == before


def test_graded_cells_stay_once_there_are_grades(graded_class: Classroom) -> None:
    """Nbgrader refuses to change them then; that is said in words, with what to do."""
    made = source()
    made["cells"].append(code("assert True", mark("another", grade=True, locked=True, points=1)))
    (graded_class.root / "source/ps1/ps1.ipynb").write_text(as_text(made))
    (problem,) = graded_class.do("student", assignment="ps1")["problems"]
    assert "the gradebook has grades of this assignment already" in problem


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ('{"cells": [', "it is no notebook: Expecting value"),
        ("[" * 100_000, "it is no notebook: "),
        ("[]", "it is no notebook: the format's number is missing"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}', "it is no notebook"),
        ('{"nbformat": 99, "metadata": {}, "cells": []}', "it is no notebook"),
        ("x" * 11 * 1024**2, "it has 11 MiB, and 10 MiB are the most"),
    ],
)
def test_a_broken_notebook_is_said(open_class: Classroom, made: str, said: str) -> None:
    """In words, and it is not executed."""
    open_class.hand_in("ann", made)
    (problem,) = open_class.do("prepare", assignment="ps1", user="ann")["problems"]
    assert problem.startswith(f"ps1.ipynb: {said}")


def test_a_submission_without_its_notebook_is_said(open_class: Classroom) -> None:
    """A folder with something else in it, and no folder at all."""
    folder = open_class.hand_in("ann", "{}")
    (folder / "ps1.ipynb").rename(folder / "mine.ipynb")
    for user in ("ann", "nobody"):
        said = open_class.do("prepare", assignment="ps1", user=user)
        assert said == {"problems": ["there is nothing to grade", "ps1.ipynb is missing"]}


def test_tests_come_back_and_files_are_the_assignments(open_class: Classroom) -> None:
    """Whatever a student made of tests, marks and data; it is executed with what the instructor wrote."""
    made = answered(open_class.released(), GOOD)
    made["cells"][2]["source"] = "pass"
    made["cells"][2]["metadata"]["nbgrader"] |= {"points": 100, "locked": False, "solution": True}
    made["metadata"]["kernelspec"]["name"] = "evil"
    folder = open_class.hand_in("ann", made)
    (folder / "data.txt").write_text("theirs")
    (folder / "extra.txt").write_text("extra")
    prepared = open_class.do("prepare", assignment="ps1", user="ann")
    notebook = prepared["notebooks"]["ps1"]
    assert SECRET in notebook["cells"][2]["source"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["cells"][2]["metadata"]["nbgrader"]["points"] == 3
    assert prepared["remarks"] == [
        'ps1.ipynb: the marks of the cell "test_square" had been changed; it has its own again'
    ]
    assert open_class.grade("ann")["score"] == 4
    graded = open_class.root / "autograded/ann/ps1"
    assert (graded / "data.txt").read_text() == "ours" and (graded / "extra.txt").read_text() == "extra"


def test_what_the_hostile_container_says_is_no_more_than_outputs(open_class: Classroom) -> None:
    """It may claim that its tests passed, but not change what was tested, nor for how many points."""
    open_class.hand_in("ann", answered(open_class.released(), HALF))
    prepared = open_class.do("prepare", assignment="ps1", user="ann")
    lie: dict[str, Any] = {"executed": True, "outputs": [], "metadata": {"nbgrader": {"points": 99}}, "source": "x"}
    lie["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "99"}}]
    job = {"assignment": "ps1", "user": "ann", "digests": prepared["digests"], "ended": ""}
    said = open_class.do("record", **job, said=json.dumps({"notebooks": {"ps1": {"cells": [lie] * 99}}}))
    assert said["score"] == 0 and len(said["remarks"]) == 2
    assert SECRET in (open_class.root / "autograded/ann/ps1/ps1.ipynb").read_text()
    said = open_class.do("record", **job, said='{"notebooks": {}}')
    assert said["score"] == 0 and "not executed" in said["remarks"][0]
    said = open_class.do("record", **job | {"ended": "it was killed"}, said="")
    assert said == {"problems": ["it could not be executed: it was killed"]}
    said = open_class.do("record", **job | {"digests": {"ps1": "other"}}, said="{}")
    assert "was changed while it was graded" in said["problems"][0]


def test_doing_it_twice_is_the_same_as_once_and_manual_points_stay(graded_class: Classroom) -> None:
    """As in nbgrader: what a person has given is not touched by grading again, only marked to be looked at."""
    by_hand = (
        "from nbgrader.api import Gradebook\n"
        "with Gradebook('sqlite:///gradebook.db') as book:\n"
        "    book.find_grade('why', 'ps1', 'ps1', 'ann').manual_score = 1.5\n"
        "    book.find_comment('why', 'ps1', 'ps1', 'ann').manual_comment = 'Almost <b>there</b>'\n"
        "    book.db.commit()\n"
    )
    graded_class.run("python", "-c", by_hand)
    again = graded_class.grade("ann")
    assert (again["score"], again["needs_manual"]) == (5.5, True)
    assert len(graded_class.do("grades")["rows"]) == len(BODIES)


def test_feedback_shows_points_and_comments_and_runs_nothing(open_class: Classroom) -> None:
    """Pages show what a student wrote and ran, but no script of it."""
    evil = f"from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script><i>seen</i>'))\n{HALF}"
    open_class.hand_in("ann@example.org [1]", answered(open_class.released(), evil, "<img src=x onerror=alert(2)>why"))
    open_class.grade("ann@example.org [1]")
    said = open_class.do("feedback", assignment="ps1", user="ann@example.org [1]")
    assert (said["pages"], said["score"], said["max_score"]) == (["ps1.html"], 1, 6)
    page = (open_class.root / "feedback/ann@example.org [1]/ps1/ps1.html").read_text()
    assert "test_square" in page and "AssertionError" in page and "<i>seen</i>" in page and "why</p>" in page
    assert "<script>alert(1)" not in page and "onerror" not in page
    assert open_class.do("feedback", assignment="ps1", user="bob") == {"problems": ['"ps1" of bob has not been graded']}


@pytest.mark.parametrize(("end", "rows"), [("os.kill(os.getpid(), 9)", 1), ("1 / 0", 0)])
def test_who_ends_before_points_are_saved_gives_no_zero(open_class: Classroom, end: str, rows: int) -> None:
    """Killed or failed where the gradebook knows of the submission and not of its points: the next run is whole."""
    open_class.hand_in("ann", answered(open_class.released(), GOOD))
    executed = open_class.executed("ann")
    config = open_class.root / "nbgrader_config.py"
    before = config.read_text()
    plugin = "import os\nfrom nbgrader.preprocessors import SaveAutoGrades\n"
    config.write_text(f"{before}{plugin}SaveAutoGrades.preprocess = lambda *words: {end}\n")
    with pytest.raises(AssertionError):
        open_class.do("record", **executed)
    config.write_text(before)
    with sqlite3.connect(open_class.root / "gradebook.db") as book:
        assert book.execute("select count(*) from submitted_assignment").fetchone() == (rows,)
    assert open_class.do("grades")["rows"] == []
    assert open_class.do("record", **executed)["score"] == 4
    assert [row["score"] for row in open_class.do("grades")["rows"]] == [4]


def test_extensions_and_penalties_are_nbgraders(open_class: Classroom) -> None:
    """Late is after one's own deadline; what that costs is said in nbgrader's configuration."""
    config = open_class.root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    made = answered(open_class.released(), GOOD)
    open_class.hand_in("ann", made, "2026-11-20 13:00:00 UTC")
    executed = open_class.executed("ann")
    late = open_class.do("record", **executed, due=DUE)
    assert (late["score"], late["late_penalty"], late["seconds_late"]) == (0, 4, 3600)
    extended = open_class.do("record", **executed, due=DUE, extension_seconds=7200)
    assert (extended["score"], extended["late_penalty"], extended["seconds_late"]) == (4, 0, 0)


def test_a_configuration_that_fails_is_said(open_class: Classroom) -> None:
    """With Python's own words."""
    (open_class.root / "nbgrader_config.py").write_text("c = get_config()\nc.x = 1 / 0\n")
    (problem,) = open_class.do("grades")["problems"]
    assert problem == "nbgrader_config.py fails: ZeroDivisionError: division by zero"


def test_nbgraders_own_commands_work_on_the_folder(graded_class: Classroom) -> None:
    """Validate, autograde, feedback and export; and autograde gives the same points as our three containers."""
    notebooks = {user: _plain(graded_class, user) for user in BODIES}
    validated = graded_class.run("nbgrader", "validate", "release/ps1/ps1.ipynb")
    assert "VALIDATION FAILED ON 2 CELL(S)" in validated.stdout
    graded_class.run("nbgrader", "autograde", "ps1", "--force")
    rows = graded_class.do("grades", assignment="ps1")["rows"]
    assert {row["user"]: row["score"] for row in rows} == POINTS
    assert {user: _plain(graded_class, user) for user in BODIES} == notebooks
    graded_class.run("nbgrader", "generate_feedback", "ps1", "--force")
    graded_class.run("nbgrader", "export", "--to", "grades.csv")
    with (graded_class.root / "grades.csv").open() as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert exported == POINTS
    graded_class.run("nbgrader", "generate_assignment", "ps1", "--force")
    # And ours again, after nbgrader's: files of 444 in the way are none.
    assert graded_class.grade("bob")["score"] == 1


def test_points_given_in_the_formgrader_come_out_in_feedback(graded_class: Classroom) -> None:
    """Served behind a base URL, as a hub's servers are; one cell is graded by hand."""
    with formgrader(graded_class) as ask:
        assert "nbgrader formgrade" in ask("gradebook/ps1/ps1")
        found = json.loads(ask("api/submitted_notebooks/ps1/ps1"))
        (notebook,) = (one for one in found if one["student"] == "ann")
        assert "It is so." in ask(f"submissions/{notebook['id']}/")
        grades = json.loads(ask(f"api/grades?submission_id={notebook['id']}"))
        (by_hand,) = (grade for grade in grades if grade["needs_manual_grade"])
        ask(f"api/grade/{by_hand['id']}", {"manual_score": 1.5})
    (row,) = graded_class.do("grades", user="ann")["rows"]
    assert (row["score"], row["needs_manual"]) == (5.5, False)
    graded_class.do("feedback", assignment="ps1", user="ann")
    assert "Score: 5.5 / 6.0" in (graded_class.root / "feedback/ann/ps1/ps1.html").read_text()


@contextmanager
def formgrader(classroom: Classroom) -> Iterator[Callable[..., str]]:
    """A server with nbgrader's formgrader; asks it for a path below it, or puts something there."""
    base = f"http://127.0.0.1:{(port := free_port())}/user/ann/"
    options = {
        "ServerApp.port": port,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.base_url": "/user/ann/",
        "ServerApp.root_dir": str(classroom.root.parent),
        "ServerApp.open_browser": False,
        "IdentityProvider.token": "token",
    }
    words = [f"--{key}={value}" for key, value in options.items()]
    extension = "--ServerApp.jpserver_extensions=nbgrader.server_extensions.formgrader=True"
    command = [str(classroom.programs / "jupyter"), "server", *words, extension, "--allow-root"]

    def ask(path: str, put: Any = None) -> str:
        body = json.dumps(put).encode() if put is not None else None
        request = Request(f"{base}{path}", body, {"Authorization": "token token"}, method="PUT" if body else "GET")
        with urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    process = subprocess.Popen(command, cwd=classroom.root, env=classroom.environment, stderr=subprocess.DEVNULL)
    try:
        until_answered(lambda: ask("api"), deadline=120)
        yield lambda path, put=None: ask(f"formgrader/{path}", put)
    finally:
        process.terminate()
        process.wait(30)


def until_answered(ask: Callable[[], object], deadline: float) -> None:
    """Wait for a server that begins."""
    end = time.monotonic() + deadline
    while True:
        try:
            ask()
        except URLError:
            assert time.monotonic() < end, "it does not begin"
            time.sleep(0.2)
        else:
            return


def _plain(classroom: Classroom, user: str) -> list[Any]:
    """What a graded notebook shows, without the times that nbgrader's own run notes."""
    made = json.loads((classroom.root / f"autograded/{user}/ps1/ps1.ipynb").read_text())
    return [
        (
            "".join(cell["source"]),
            cell["metadata"].get("nbgrader"),
            [one.get("ename") for one in cell.get("outputs", [])],
        )
        for cell in made["cells"]
    ]


def test_a_new_gradebook_is_whole(open_class: Classroom) -> None:
    """With the version of its tables, without which nbgrader could never bring it up to date."""
    with sqlite3.connect(open_class.root / "gradebook.db") as book:
        assert book.execute("select count(*) from alembic_version").fetchone() == (1,)
    open_class.run("nbgrader", "db", "upgrade")
