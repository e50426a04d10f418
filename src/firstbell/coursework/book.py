"""What is to be done with assignments, what was done, and what was handed in: shared by desk, pages and control.

Everything that somebody asks for is a row before anybody acts on it, so that whoever is killed in the middle finds
where to go on.
"""
# ruff: noqa: S608 - what is put into the queries is our own: question marks and columns

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import fields

from firstbell.coursework.tables import Tables
from firstbell.model.coursework import OPEN, Assignment, Handin, HandinKind, Kind, Manifest, State, Task

DEADLINE = "deadline"
"""Who asks for the collecting at a deadline."""
_TASK = ", ".join(field.name for field in fields(Task))
_HANDIN = ", ".join(field.name for field in fields(Handin))


class Book(Tables):
    """The file's rows as values."""

    # assignments

    def assignments(self) -> tuple[Assignment, ...]:
        """All, by name."""
        rows = self.db.execute("SELECT name, source, due, has_notebooks, made FROM assignments ORDER BY name")
        return tuple(Assignment(name, source, due, bool(has), made) for name, source, due, has, made in rows)

    def assignment(self, name: str) -> Assignment | None:
        """The assignment of that name."""
        return next((one for one in self.assignments() if one.name == name), None)

    def keep(self, assignment: Assignment) -> None:
        """Note it as it is now."""
        with self.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO assignments (name, source, due, has_notebooks, made) VALUES (?, ?, ?, ?, ?)",
                (assignment.name, assignment.source, assignment.due, assignment.has_notebooks, assignment.made),
            )

    def is_made(self, assignment: str, source: str) -> None:
        """The student version of that source is there."""
        with self.writing() as db:
            db.execute("UPDATE assignments SET made = ? WHERE name = ?", (source, assignment))

    # deadlines

    def deadline(self, assignment: str, user: str) -> float | None:
        """The person's own: the assignment's, or what it was extended to."""
        found = self.assignment(assignment)
        due = found.due if found else None
        until = self.extensions(assignment).get(user)
        return until if until is not None else due

    def extensions(self, assignment: str) -> Mapping[str, float]:
        """By user, until when."""
        return dict(self.db.execute("SELECT user, until FROM extensions WHERE assignment = ?", (assignment,)))

    def extend(self, assignment: str, user: str, until: float) -> None:
        """Give somebody another deadline; the collecting that waits for theirs moves with it."""
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO extensions VALUES (?, ?, ?)", (assignment, user, until))
            db.execute(
                "UPDATE tasks SET at = ? WHERE assignment = ? AND user = ? AND kind = ? AND state = ? AND by = ?",
                (until, assignment, user, Kind.COLLECT, State.DUE, DEADLINE),
            )

    # openings

    def opened(self, assignment: str, user: str) -> bool:
        """Somebody works on a notebook of it; the first time counts. False where there is no such assignment."""
        if self.assignment(assignment) is None:
            return False
        if user not in self.openings(assignment):
            with self.writing() as db:
                db.execute("INSERT OR IGNORE INTO openings VALUES (?, ?, ?)", (assignment, user, self.now()))
        return True

    def openings(self, assignment: str) -> Mapping[str, float]:
        """By user, when they first worked on one of its notebooks, as far as their server told."""
        return dict(self.db.execute("SELECT user, at FROM openings WHERE assignment = ?", (assignment,)))

    # tasks

    def ask(
        self, kind: Kind, assignment: str, whom: Mapping[str, float], *, by: str, batch: str = "", asked: float = 0.0
    ) -> str:
        """Note that this is to be done for these people, each at a time; the batch by which it is followed.

        Of release, collect, grade and return one open task per person is enough: asking again moves it. Every hand-in
        is one of its own, and the collecting at a deadline is not that which somebody asks for before it.
        """
        batch, asked = batch or uuid.uuid4().hex[:12], asked or self.now()
        with self.writing() as db:
            for user, at in whom.items():
                moved = 0
                if kind is not Kind.HAND_IN:
                    moved = db.execute(
                        "UPDATE tasks SET at = ?, asked = ?, by = ?, batch = ?, after = 0, tries = 0"
                        " WHERE kind = ? AND assignment = ? AND user = ? AND state = ? AND (by = ?) = (? = ?)",
                        (at, asked, by, batch, kind, assignment, user, State.DUE, DEADLINE, by, DEADLINE),
                    ).rowcount
                if not moved:
                    db.execute(
                        "INSERT INTO tasks (kind, assignment, user, at, asked, by, batch) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (kind, assignment, user, at, asked, by, batch),
                    )
        return batch

    def due(self, most: int) -> tuple[Task, ...]:
        """What is to be done now, hand-ins first, then the longest due."""
        return self._tasks(
            "WHERE state = ?1 AND at <= ?2 AND after <= ?2 ORDER BY kind != ?3, at, id LIMIT ?4",
            (State.DUE, self.now(), Kind.HAND_IN, most),
        )

    def begin(self, task: Task) -> bool:
        """Somebody is at it; whether nobody was before and it is still to be done now.

        One task per person and assignment at a time: releasing and collecting the same folder would cross.
        """
        with self.writing() as db:
            return bool(
                db.execute(
                    "UPDATE tasks SET state = ? WHERE id = ? AND state = ? AND at <= ? AND NOT EXISTS (SELECT 1 FROM"
                    " tasks AS other WHERE other.state = ? AND other.assignment = ? AND other.user = ?)",
                    (State.DOING, task.id, State.DUE, self.now(), State.DOING, task.assignment, task.user),
                ).rowcount
            )

    def end(self, task: Task, state: State, words: str = "", receipt: str = "") -> None:
        """How it ended."""
        with self.writing() as db:
            db.execute(
                "UPDATE tasks SET state = ?, words = ?, receipt = ?, ended = ? WHERE id = ?",
                (state, words, receipt, self.now(), task.id),
            )

    def again(self, task: Task, after: float, words: str) -> None:
        """It could not be done now; it is tried again at a later moment. When it was due stays as it is."""
        with self.writing() as db:
            db.execute(
                "UPDATE tasks SET state = ?, words = ?, after = ?, tries = tries + 1 WHERE id = ?",
                (State.DUE, words, after, task.id),
            )

    def begin_anew(self) -> int:
        """What whoever was killed left half-done is to be done again; how many tasks that are."""
        with self.writing() as db:
            return db.execute("UPDATE tasks SET state = ? WHERE state = ?", (State.DUE, State.DOING)).rowcount

    def cancel(self, kind: Kind, assignment: str, words: str, state: State = State.SKIPPED) -> int:
        """Tasks that wait for their time are not to be done any more; how many."""
        with self.writing() as db:
            return db.execute(
                "UPDATE tasks SET state = ?, words = ?, ended = ? WHERE kind = ? AND assignment = ? AND state = ?",
                (state, words, self.now(), kind, assignment, State.DUE),
            ).rowcount

    def task(self, identity: int) -> Task | None:
        """One of them."""
        found = self._tasks("WHERE id = ?", (identity,))
        return found[0] if found else None

    def batch(self, batch: str) -> tuple[Task, ...]:
        """All that one command asked for."""
        return self._tasks("WHERE batch = ? ORDER BY user, id", (batch,))

    def tasks(self, assignment: str = "", user: str = "") -> tuple[Task, ...]:
        """Those of an assignment, of a person, or all; oldest first."""
        return self._tasks(
            "WHERE (?1 = '' OR assignment = ?1) AND (?2 = '' OR user = ?2) ORDER BY id", (assignment, user)
        )

    def open_tasks(self, assignment: str = "") -> tuple[Task, ...]:
        """What is not over, soonest first."""
        return self._tasks(
            "WHERE state IN (?1, ?2) AND (?3 = '' OR assignment = ?3) ORDER BY at, id", (*OPEN, assignment)
        )

    def _tasks(self, where: str, values: Iterable[object]) -> tuple[Task, ...]:
        rows = self.db.execute(f"SELECT {_TASK} FROM tasks {where}", tuple(values)).fetchall()
        made = [dict(zip(_TASK.split(", "), row, strict=True)) for row in rows]
        return tuple(Task(**row | {"kind": Kind(row["kind"]), "state": State(row["state"])}) for row in made)

    # hand-ins

    def record(self, manifest: Manifest) -> None:
        """Note a snapshot that is on the disk; again is the same as once."""
        size = sum(file.size for file in manifest.files)
        with self.writing() as db:
            db.execute(
                f"INSERT OR IGNORE INTO handins ({_HANDIN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    manifest.id,
                    manifest.receipt,
                    manifest.assignment,
                    manifest.user,
                    manifest.kind,
                    manifest.time,
                    manifest.taken,
                    manifest.by,
                    len(manifest.files),
                    size,
                    len(manifest.refused),
                    manifest.content,
                ),
            )

    def handins(self, assignment: str = "", user: str = "") -> tuple[Handin, ...]:
        """Those of an assignment, of a person, or all; oldest first."""
        rows = self.db.execute(
            f"SELECT {_HANDIN} FROM handins WHERE (?1 = '' OR assignment = ?1) AND (?2 = '' OR user = ?2)"
            " ORDER BY time, taken, id",
            (assignment, user),
        ).fetchall()
        made = [dict(zip(_HANDIN.split(", "), row, strict=True)) for row in rows]
        return tuple(Handin(**row | {"kind": HandinKind(row["kind"])}) for row in made)
