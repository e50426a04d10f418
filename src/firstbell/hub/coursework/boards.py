"""How far everybody is with an assignment, live: a picture for each assignment that somebody looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from typing import Any

from jupyterhub import orm

from firstbell.errors import CourseFileError
from firstbell.hub.coursework.counter import Counter, Opened, opened
from firstbell.hub.coursework.rows import Row, count, row_of
from firstbell.hub.wall.live import Live
from firstbell.model.roster import Person


class Boards:
    """Reads the book in the hub's own thread, where reading waits for nobody; `app` is JupyterHub."""

    def __init__(self, app: Any, counter: Counter, render: Callable[[str, Row], str]) -> None:
        self._app = app
        self._counter = counter
        self._render = render
        self._opened: Opened | None = None
        self._boards: dict[str, Live[Row]] = {}
        self._known: dict[str, tuple[int, Mapping[str, Person], list[dict[str, Any]]]] = {}

    def of(self, assignment: str) -> Live[Row] | None:
        """The picture of that assignment; None if there is none. Raises FirstbellError, sqlite3.Error."""
        if assignment not in self._boards:
            if not any(one.name == assignment for one in self._files().book.assignments()):
                return None
            self._boards[assignment] = Live(
                lambda: self._gather(assignment), lambda row: self._render(assignment, row), count
            )
        return self._boards[assignment]

    def close(self) -> None:
        """Let go of the files."""
        if self._opened is not None:
            self._opened.close()

    def _gather(self, assignment: str) -> Iterator[Row]:
        seen = dict(self._app.db.query(orm.User.name, orm.User.last_activity).all())
        for person in self._people(assignment):
            last = seen.get(person["user"])
            yield row_of(person, last.replace(tzinfo=UTC).timestamp() if last else None)

    def _people(self, assignment: str) -> list[dict[str, Any]]:
        """Made anew only where book or roster have changed."""
        files = self._files()
        version, students = files.book.version, files.roll.students()
        known = self._known.get(assignment)
        if known is None or known[:2] != (version, students):
            try:
                people = files.report.assignment(assignment)["people"]
            except CourseFileError:  # the book was put back from a backup that has no such assignment
                people = []
            known = self._known[assignment] = (version, students, people)
        return known[2]

    def _files(self) -> Opened:
        if self._opened is None:
            self._opened = opened(self._counter.course, self._counter.state, self._counter.folder)
        return self._opened
