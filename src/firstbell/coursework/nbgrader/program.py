"""The one entry of the trusted programs: `program.py VERB`, a line of JSON in, a line of JSON out.

The answer has `problems` (sentences; then nothing was done) or what the verb says. nbgrader's log goes to standard
error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firstbell.coursework.nbgrader.feedback import make_feedback
from firstbell.coursework.nbgrader.grades import read_grades
from firstbell.coursework.nbgrader.place import Place, Refused, open_place
from firstbell.coursework.nbgrader.prepare import prepare
from firstbell.coursework.nbgrader.record import record
from firstbell.coursework.nbgrader.student import make_student_version

VERBS: dict[str, Callable[[Place, dict[str, Any]], dict[str, Any]]] = {
    "student": make_student_version,
    "prepare": prepare,
    "record": record,
    "feedback": make_feedback,
    "grades": read_grades,
}


def main() -> None:
    """Do what the first argument says with the job on standard input."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.buffer.readline())
    try:
        place = open_place(Path(job["root"]), job["course"])
        said = VERBS[sys.argv[1]](place, job)
    except Refused as refused:
        said = {"problems": list(refused.problems)}
    print(json.dumps(said), file=answer, flush=True)


if __name__ == "__main__":
    main()
