"""How assignments stand: for `firstbell assignments`, for the pages of staff, and for a student's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.coursework.book import Book
from firstbell.coursework.layout import MANIFEST, Layout
from firstbell.coursework.nbgrader_grader import BY_HAND, POINTS
from firstbell.coursework.times import shown
from firstbell.errors import CourseFileError
from firstbell.hub.coursework.people import Roll
from firstbell.model.course import Course
from firstbell.model.coursework import OPEN, Assignment, Handin, HandinKind, Kind, Manifest, State, Task, counting
from firstbell.model.roster import Person

_WAITS = 4.0
_LOOK_EVERY = 0.25
_IN_VAIN = 2
"""Tries after which whoever follows is told that something does not pass in a moment, as a node that is away."""
_DONE = (State.DONE, State.SKIPPED)


class Report:
    """The book, read."""

    def __init__(self, course: Course, layout: Layout, book: Book, roll: Roll) -> None:
        self._zone = ZoneInfo(course.time_zone)
        self._time_zone = course.time_zone
        self._layout = layout
        self._book = book
        self._roll = roll

    def assignments(self, covers: Callable[[Person], bool] = lambda _: True) -> dict[str, Any]:
        """All assignments, with how many people have come how far; of those alone whom the asker may see."""
        students = {user: person for user, person in self._roll.students().items() if covers(person)}
        rows = [self._assignment(one, self._people(one, students)) for one in self._book.assignments()]
        return {"time_zone": self._time_zone, "assignments": rows}

    def assignment(self, name: str, only: Iterable[str] | None = None) -> dict[str, Any]:
        """One of them, person by person; `only` are those whom the asker may see."""
        found = self._book.assignment(name)
        if found is None:
            raise CourseFileError(
                f"the hub has no assignment {name}", next_step="See those there are: firstbell assignments list"
            )
        students = self._roll.students()
        if only is not None:
            students = {user: students[user] for user in only if user in students}
        people = self._people(found, students)
        return {"time_zone": self._time_zone} | self._assignment(found, people) | {"people": people}

    def student(self, user: str) -> dict[str, Any]:
        """What somebody may know of their own coursework: what is due, their receipts, and grades once returned."""
        tasks = self._book.tasks(user=user)
        mine = {task.assignment for task in tasks if task.kind is Kind.RELEASE and task.state in _DONE}
        mine |= {one.assignment for one in self._book.handins(user=user)}
        person = self._roll.person(user) or Person(user)
        rows = []
        for one in self._book.assignments():
            if one.name in mine:
                [row] = self._people(one, {user: person}, user)
                last = next((t for t in reversed(tasks) if t.assignment == one.name and t.kind is Kind.HAND_IN), None)
                rows.append(_own(row, last) | {"assignment": one.name, "handins": self.handins(one.name, user)})
        return {"time_zone": self._time_zone, "assignments": rows}

    def handins(self, assignment: str, user: str) -> list[dict[str, Any]]:
        """Somebody's hand-ins, newest first: their receipts, and which one counts."""
        found = self._book.handins(assignment, user)
        due = self._book.deadline(assignment, user)
        counted = counting(found, due)
        return [
            {
                "receipt": one.receipt,
                "kind": _kind(one, due).value,
                "time": shown(one.time, self._zone),
                "by": one.by,
                "files": one.files,
                "size": one.size,
                "refused": one.refused,
                "counts": one == counted,
            }
            for one in reversed(found)
        ]

    def receipt(self, assignment: str, user: str, receipt: str) -> dict[str, Any]:
        """A receipt with its list of files. Raises CourseFileError where there is no such one."""
        for one in self._book.handins(assignment, user):
            if receipt and one.receipt.startswith(receipt):
                text = (self._layout.handin(assignment, user, one.id) / MANIFEST).read_bytes()
                return asdict(Manifest.of(text)) | {"receipt": one.receipt, "shown_time": shown(one.time, self._zone)}
        raise CourseFileError(f"{user} has no receipt {receipt} of {assignment}")

    def progress(self, batch: str, ended: int = -1, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
        """How far a batch is, as soon as more than `ended` of it are over, or after some seconds."""
        now = self._progress(batch)
        for _ in range(int(_WAITS / _LOOK_EVERY)):
            if ended < 0 or now["ended"] > ended or now["open"] == now["stuck"]:
                break
            sleep(_LOOK_EVERY)
            now = self._progress(batch)
        return now

    def _progress(self, batch: str) -> dict[str, Any]:
        tasks = self._book.batch(batch)
        states = Counter(task.state for task in tasks)
        waiting = [task for task in tasks if task.state in OPEN]
        later = [task.at for task in waiting if task.at > self._book.now()]
        assignment = self._book.assignment(tasks[0].assignment) if tasks else None
        return {
            "batch": batch,
            "all": len(tasks),
            "ended": len(tasks) - len(waiting),
            "open": len(waiting),
            "later": len(later),
            "stuck": sum(task.tries >= _IN_VAIN and task.at <= self._book.now() for task in waiting),
            "next": shown(min(later), self._zone) if later else "",
            "made": assignment is None or assignment.made == assignment.source,
            "states": {state.value: states[state] for state in State if states[state]},
            "tasks": [_task(task) for task in tasks if task.state is not State.DONE or task.words],
        }

    def _assignment(self, one: Assignment, people: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        rows = list(people)
        waiting = [task for task in self._book.open_tasks(one.name) if task.at > self._book.now()]
        return {
            "name": one.name,
            "due": shown(one.due, self._zone),
            "students": len(rows),
            "released": sum(bool(row["released"]) for row in rows),
            "handed_in": sum(bool(row["receipt"]) for row in rows),
            "late": sum(row["late"] > 0 for row in rows),
            "graded": sum(bool(row["graded"]) for row in rows),
            "returned": sum(bool(row["returned"]) for row in rows),
            "failed": sum(bool(row["problem"]) for row in rows),
            "next": f"{waiting[0].kind.value} {shown(waiting[0].at, self._zone)}" if waiting else "",
        }

    def _people(self, one: Assignment, students: Mapping[str, Person], only: str = "") -> list[dict[str, Any]]:
        """With `only`, nothing of others' is read: how far an order is that is for others, too, is not known then."""
        work = _Work(self._book.tasks(one.name, only), self._book.now())
        handins: dict[str, list[Handin]] = {}
        for handin in self._book.handins(one.name, only):
            handins.setdefault(handin.user, []).append(handin)
        own, opened = self._book.extensions(one.name), self._book.openings(one.name)
        rows = []
        for user, person in students.items():
            due = own.get(user, one.due)
            mine = handins.get(user, [])
            counted = counting(mine, due)
            released, graded, returned = (work.done.get((user, k)) for k in (Kind.RELEASE, Kind.GRADE, Kind.RETURN))
            rows.append(
                {
                    "user": user,
                    "name": person.name,
                    "section": person.section,
                    "due": shown(due, self._zone),
                    "extended": user in own,
                    "released": shown(released.ended, self._zone) if released else "",
                    "released_at": released.ended if released else None,
                    "opened": shown(opened.get(user), self._zone),
                    "handed_in": shown(counted.time, self._zone) if counted else "",
                    "kind": _kind(counted, due).value if counted else "",
                    "receipt": counted.receipt if counted else "",
                    "late": sum(due is not None and h.time > due for h in mine),
                    "graded": graded.words or "yes" if graded else "",
                    "returned": shown(returned.ended, self._zone) if returned else "",
                    "grade_back": _grade_back(returned, graded),
                    "problem": work.problem(user),
                    **work.under_way(user),
                }
            )
        return rows


def _kind(handin: Handin, due: float | None) -> HandinKind:
    """What it is by its person's deadline that holds now: an extension makes late work early."""
    if handin.kind is not HandinKind.LATE:
        return handin.kind
    return HandinKind.LATE if due is not None and handin.time > due else HandinKind.EARLY


class _Work:
    """The tasks of an assignment, oldest first: what was done, what has failed, what is under way."""

    def __init__(self, tasks: Iterable[Task], now: float) -> None:
        self.done: dict[tuple[str, Kind], Task] = {}
        """What was last done. A release that found the folder there is one; feedback that nobody has is none."""
        self._last: dict[tuple[str, Kind], Task] = {}
        self._of: dict[str, list[Task]] = {}
        for task in tasks:
            self._last[task.user, task.kind] = task
            self._of.setdefault(task.user, []).append(task)
            if task.state is State.DONE or (task.kind is Kind.RELEASE and task.state is State.SKIPPED):
                self.done[task.user, task.kind] = task
        self._now = now
        self._orders = {t.batch for mine in self._of.values() for t in mine if self._is_open(t)}

    def problem(self, user: str) -> str:
        """What could not be done for them, in words; empty for nothing."""
        last = [task for kind in Kind if (task := self._last.get((user, kind)))]
        failed = [t for t in last if t.state is not State.DONE and (t.state is State.FAILED or t.tries)]
        return "; ".join(f"{task.kind.value}: {task.words}" for task in failed)

    def under_way(self, user: str) -> dict[str, Any]:
        """What is being done for them now, and how far the orders are that are under way."""
        mine = self._of.get(user, [])
        doing = next((task.kind.value for task in mine if self._is_open(task)), "")
        ordered = [task for task in mine if task.batch in self._orders]
        ended = sum(task.state not in OPEN for task in ordered)
        return {"under_way": doing, "asked": len(ordered), "ended": ended}

    def _is_open(self, task: Task) -> bool:
        return task.state in OPEN and task.at <= self._now


def _grade_back(returned: Task | None, graded: Task | None) -> str:
    """The points that were returned, if they are of the last grading; with those that somebody has given by hand."""
    if not returned or not graded or (graded.ended or 0.0) > (returned.ended or 0.0):
        return ""
    words = returned.words if POINTS in returned.words else graded.words
    points, *_ = words.split("; ")
    return f"{points}; {BY_HAND}" if points and BY_HAND in words else points


_OWN = ("due", "extended", "released", "handed_in", "kind", "receipt", "late", "returned")


def _own(row: Mapping[str, Any], last: Task | None) -> dict[str, Any]:
    """What of a row its person may know: no grade before it is returned, and nothing of what staff do meanwhile.

    `last` is their last hand-in.
    """
    return {
        **{name: row[name] for name in _OWN},
        "graded": row["grade_back"],
        "under_way": Kind.HAND_IN.value if last and last.state in OPEN else "",
        "problem": last.words if last and last.state is State.FAILED else "",
    }


def _task(task: Task) -> dict[str, Any]:
    return {"user": task.user, "state": task.state.value, "words": task.words, "receipt": task.receipt}
