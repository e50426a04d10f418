"""Brings what a submission showed into the gradebook, as nbgrader's second half of `autograde` does.

Of the hostile container's answer only outputs are taken. Everything else (cells, marks, tests) is made from the
submission and the gradebook once more; doing it twice gives the same.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute

from firstbell.coursework.nbgrader.grades import is_graded
from firstbell.coursework.nbgrader.outputs import Unheard, answers, digest, merged
from firstbell.coursework.nbgrader.place import Place, Refused, making, put_in_place, utc
from firstbell.coursework.nbgrader.prepare import expected, exported, files_for, sanitised

_PERSON = ("first_name", "last_name", "email")


def record(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """Points into the gradebook, the executed notebooks into `autograded/USER/NAME`. Raises Refused."""
    assignment, user = job["assignment"], job["user"]
    notebooks, _ = sanitised(place, assignment, user)
    if job["digests"] != {name: digest(notebook) for name, notebook in notebooks.items()}:
        raise Refused("the submission or the assignment was changed while it was graded: grade it again")
    try:
        executed = answers(job["said"], job["ended"])
    except Unheard as unheard:
        raise Refused(str(unheard)) from unheard
    remarks = []
    for name, notebook in notebooks.items():
        cells, said = executed.get(name, ([], []))
        remarks += [f"{name}.ipynb: {remark}" for remark in (*said, *merged(notebook, cells))]
    _enter(place, job, set(notebooks))
    try:
        _save(place, assignment, user, notebooks)
    except Exception:
        _forget(place, assignment, user)
        raise
    return {**_result(place, assignment, user), "remarks": remarks}


def _save(place: Place, assignment: str, user: str, notebooks: dict[str, Any]) -> None:
    with making(place.root) as folder:
        made = folder / "autograded"
        _copy_files(place, assignment, user, made)
        for name, notebook in notebooks.items():
            (made / f"{name}.ipynb").write_text(_graded(place, assignment, user, name, notebook), encoding="utf-8")
        for path in made.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        put_in_place(made, place.root / "autograded" / user / assignment)


def _forget(place: Place, assignment: str, user: str) -> None:
    """Take a submission out of the gradebook again that could not be graded: it would stand there with no points."""
    with place.gradebook() as gradebook:
        if not is_graded(place, gradebook.find_submission(assignment, user)):
            gradebook.remove_submission(assignment, user)


def _graded(place: Place, assignment: str, user: str, name: str, notebook: dict[str, Any]) -> str:
    converter = Autograde(coursedir=place.directory(assignment, user), config=place.config)
    steps = [step for step in converter.autograde_preprocessors if step is not Execute]
    text, _ = exported(place, steps, notebook, place.resources(assignment, name, user))
    return text


def _copy_files(place: Place, assignment: str, user: str, target: Path) -> None:
    target.mkdir(parents=True)
    stamp = place.root / "submitted" / user / assignment / "timestamp.txt"
    files = files_for(place, assignment, user) | ({"timestamp.txt": stamp} if stamp.is_file() else {})
    for name, path in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)


def _enter(place: Place, job: dict[str, Any], present: set[str]) -> None:
    """The student and the submission, with its time and extension; what was not handed in has no points."""
    assignment, user = job["assignment"], job["user"]
    person = {key: job[key] for key in _PERSON if job.get(key)}
    submitted = place.root / "submitted" / user / assignment
    with place.gradebook() as gradebook:
        if "due" in job:
            gradebook.update_or_create_assignment(assignment, duedate=utc(job["due"]))
        gradebook.update_or_create_student(user, **person)
        time = place.directory(assignment, user).get_existing_timestamp(str(submitted))
        about = {"timestamp": time} if time else {}
        submission = gradebook.update_or_create_submission(assignment, user, **about)
        seconds = float(job.get("extension_seconds") or 0)
        submission.extension = dt.timedelta(seconds=seconds) if seconds else None
        for name in set(expected(place, assignment)) - present:
            for grade in gradebook.find_submission_notebook(name, assignment, user).grades:
                grade.auto_score, grade.needs_manual_grade = 0, False
        gradebook.db.commit()


def _result(place: Place, assignment: str, user: str) -> dict[str, Any]:
    with place.gradebook() as gradebook:
        submission = gradebook.find_submission(assignment, user)
        penalty = submission.late_submission_penalty or 0
        return {
            "score": max(0.0, submission.score - penalty),
            "max_score": submission.max_score,
            "late_penalty": penalty,
            "seconds_late": submission.total_seconds_late,
            "needs_manual": bool(submission.needs_manual_grade),
        }
