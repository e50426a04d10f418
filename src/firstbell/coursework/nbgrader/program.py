"""The one entry of the trusted programs: `program.py VERB`, a line of JSON in, a line of JSON out.

The answer has `problems` (sentences; then nothing was done) or what the verb says. nbgrader's log goes to standard
error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

VERBS = {
    "student": "make_student_version",
    "prepare": "prepare",
    "record": "record",
    "feedback": "make_feedback",
    "grades": "read_grades",
}
"""Modules of this package, each with the function that does what it is called for."""
_PACKAGE = "firstbell.coursework.nbgrader"
_COSTLY = "rfc3987_syntax"
"""Builds a grammar when it is imported, half the time of all imports here; without it jsonschema checks no IRI."""


def main() -> None:
    """Do what the first argument says with the job on standard input."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.buffer.readline())
    sys.modules[_COSTLY] = None  # type: ignore[assignment]
    place = importlib.import_module(f"{_PACKAGE}.place")
    verb = getattr(importlib.import_module(f"{_PACKAGE}.{sys.argv[1]}"), VERBS[sys.argv[1]])
    try:
        said = verb(place.open_place(Path(job["root"]), job["course"]), job)
    except place.Refused as refused:
        said = {"problems": list(refused.problems)}
    print(json.dumps(said), file=answer, flush=True)


if __name__ == "__main__":
    main()
