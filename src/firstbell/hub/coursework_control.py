"""`python3 -m firstbell.hub.coursework_control VERB …`: what the coursework commands ask of a hub, in its container.

| verb | words | answer |
|---|---|---|
| `source` | NAME FOLDER | what was brought into `.offered/FOLDER` is the assignment's source from now on |
| `release`, `collect`, `grade`, `return` | a wish | what was ordered, with its batch |
| `extend` | a wish, UNTIL | whose deadline it is now |
| `hand-in` | NAME USER | the batch of a hand-in for somebody, as their own; written down as an act |
| `progress` | BATCH ENDED | how far it is, once more than ENDED are over, or after some seconds |
| `assignments` | | all, with how many people have come how far |
| `assignment` | NAME | one of them, person by person |
| `receipts` | NAME USER | somebody's hand-ins |
| `receipt` | NAME USER RECEIPT | one of them, with its files |

A wish: `{"assignment": …, "to": […], "at": …, "due": …, "dry_run": …}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firstbell.config.wire import from_wire
from firstbell.coursework.book import Book
from firstbell.coursework.layout import Layout
from firstbell.errors import CourseFileError
from firstbell.hub.control_io import control_arguments, print_answer
from firstbell.hub.coursework.ask import Asker, Coursework
from firstbell.hub.coursework.offer import take_over
from firstbell.hub.coursework.people import Roll
from firstbell.hub.coursework.report import Report
from firstbell.hub.people.book import open_store
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.model.course import Course
from firstbell.model.coursework import Kind, Wish
from firstbell.model.runtime import COURSEWORK_DIR

_ACTS = {kind.value: kind for kind in (Kind.RELEASE, Kind.COLLECT, Kind.GRADE, Kind.RETURN)}
VERBS = ("source", *_ACTS, "extend", "hand-in", "progress", "assignments", "assignment", "receipts", "receipt")


class Control:
    """The files of a hub, for these verbs."""

    def __init__(self, course: Course, state: Path, folder: Path) -> None:
        if course.coursework is None:
            raise CourseFileError(
                "the course has no coursework", where="firstbell.toml", next_step="Add [coursework], then: firstbell up"
            )
        self._layout = Layout(folder)
        self._book = Book(self._layout.book)
        roll = Roll(course, open_store(state))
        self._ask = Coursework(course, self._layout, self._book, roll, ActsBook(state / acts.FILE))
        self._report = Report(course, self._layout, self._book, roll)

    def answer(self, verb: str, words: Sequence[str]) -> Any:
        """What the verb answers. Raises CourseFileError."""
        by = Asker()
        match verb, *words:
            case "source", name, folder:
                return asdict(take_over(self._layout, self._book, name, folder))
            case "extend", wish, until:
                return self._ask.extend(_wish(wish), until, by)
            case "hand-in", name, user:
                return {"batch": self._ask.hand_in_for(name, user, by).batch, "kind": "hand-in", "assignment": name}
            case "progress", batch, ended:
                return self._report.progress(batch, int(ended))
            case ("assignments",):
                return self._report.assignments()
            case "assignment", name:
                return self._report.assignment(name)
            case "receipts", name, user:
                return self._report.handins(name, user)
            case "receipt", name, user, receipt:
                return self._report.receipt(name, user, receipt)
            case _, wish if verb in _ACTS:
                return self._ask.act(_ACTS[verb], _wish(wish), by)
        raise CourseFileError(f"{verb} was given {len(words)} words")


def _wish(text: str) -> Wish:
    plain = json.loads(text)
    return Wish(**plain | {"to": tuple(plain.get("to", ()))})


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    parser = control_arguments("firstbell.hub.coursework_control", VERBS)
    parser.add_argument("--folder", type=Path, default=Path(COURSEWORK_DIR))
    arguments = parser.parse_args(argv)

    def ask() -> Any:
        course = from_wire(arguments.course.read_bytes(), arguments.secrets.read_bytes())
        return Control(course, arguments.state, arguments.folder).answer(arguments.verb, arguments.names)

    return print_answer(ask)


if __name__ == "__main__":
    sys.exit(main())
