"""What the gradebook says: points of every submission, as plain values."""

from __future__ import annotations

from typing import Any

from firstbell.coursework.nbgrader.place import Place, iso


def read_grades(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """A row for each submission that is graded, or those of one assignment, one user."""
    wanted, user = job.get("assignment") or "", job.get("user") or ""
    rows = []
    with place.gradebook() as gradebook:
        for assignment in gradebook.assignments:
            if wanted in {"", assignment.name}:
                found = [one for one in assignment.submissions if user in {"", one.student.id}]
                rows += [_row(one) for one in found if is_graded(place, one)]
    return {"rows": sorted(rows, key=lambda row: (row["assignment"], row["user"])), "remarks": []}


def is_graded(place: Place, submission: Any) -> bool:
    """Whether its points are more than what somebody who was killed had come to: a zero that nobody meant is none.

    The executed notebooks get their place last; who gives points by hand knows what they do.
    """
    if (place.root / "autograded" / submission.student.id / submission.assignment.name).is_dir():
        return True
    return any(grade.manual_score is not None for notebook in submission.notebooks for grade in notebook.grades)


def _row(submission: Any) -> dict[str, Any]:
    penalty = submission.late_submission_penalty or 0
    student = submission.student
    return {
        "assignment": submission.assignment.name,
        "user": student.id,
        "first_name": student.first_name or "",
        "last_name": student.last_name or "",
        "email": student.email or "",
        "due": iso(submission.duedate),
        "handed_in": iso(submission.timestamp),
        "raw_score": submission.score,
        "late_penalty": penalty,
        "score": max(0.0, submission.score - penalty),
        "max_score": submission.max_score,
        "needs_manual": bool(submission.needs_manual_grade),
        "notebooks": [
            {"name": one.name, "score": one.score, "max_score": one.max_score} for one in submission.notebooks
        ],
    }
