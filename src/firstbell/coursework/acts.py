"""What a task does, for one person: each is whole or not at all, and doing it twice is the same as once."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from firstbell.coursework.book import Book
from firstbell.coursework.grading import Grader
from firstbell.coursework.layout import Layout
from firstbell.coursework.store import FILES, beside, manifests, settle, store
from firstbell.coursework.times import aside_name, shown
from firstbell.coursework.transport import Homes, Parcel, Taken, Transport, packed
from firstbell.errors import CourseFileError, FirstbellError
from firstbell.model.container import MIB
from firstbell.model.course import Course
from firstbell.model.coursework import FEEDBACK, HandinKind, Kind, Manifest, State, Task

_LATE_LOOK = 300.0
"""Seconds after the deadline from which it is worth a word that a folder was read only then."""
MOST_KEPT = 4096 * MIB
"""Bytes of all hand-ins of one person for one assignment; equal files are kept once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended."""

    state: State
    words: str = ""
    receipt: str = ""


class Acts:
    """The acts of one course."""

    def __init__(
        self,
        course: Course,
        layout: Layout,
        book: Book,
        *,
        homes: Homes,
        transport: Transport,
        grader: Grader,
        now: Callable[[], float] = time.time,
    ) -> None:
        if course.coursework is None:
            raise CourseFileError("the course has no coursework", next_step="Add [coursework] to the course file.")
        self._course = course
        self._folder = course.coursework.folder
        self._zone = ZoneInfo(course.time_zone)
        self._layout = layout
        self._book = book
        self._homes = homes
        self._transport = transport
        self._grader = grader
        self._now = now
        self._making: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unmade: dict[tuple[str, str], FirstbellError] = {}
        self._parcel: tuple[tuple[str, str], Parcel] | None = None

    async def do(self, task: Task) -> Outcome:
        """Do it. Raises FirstbellError with why it cannot be done, OSError, sqlite3.OperationalError."""
        match task.kind:
            case Kind.RELEASE:
                return await self._release(task)
            case Kind.HAND_IN | Kind.COLLECT:
                return await self._snapshot(task)
            case Kind.GRADE:
                return await self._grade(task)
            case Kind.RETURN:
                return await self._return(task)

    # handing out

    async def make(self, assignment: str) -> str:
        """See that the student version is that of the source; the source's digest.

        Raises FirstbellError: what could not be made of a source is not tried again until there is another one.
        """
        async with self._making[assignment]:
            found = self._book.assignment(assignment)
            if found is None or not self._layout.source(assignment).is_dir():
                raise CourseFileError(
                    f"the hub has no assignment {assignment}", next_step=f"firstbell release {assignment}"
                )
            key = (assignment, found.source)
            if key in self._unmade:
                raise self._unmade[key]
            if found.made != found.source or not self._layout.release(assignment).is_dir():
                try:
                    await self._grader.release(assignment)
                except CourseFileError as error:
                    self._unmade[key] = error
                    raise
                self._book.is_made(assignment, found.source)
            return found.source

    async def _release(self, task: Task) -> Outcome:
        source = await self.make(task.assignment)
        if self._parcel is None or self._parcel[0] != (task.assignment, source):
            parcel = await asyncio.to_thread(packed, self._layout.release(task.assignment))
            self._parcel = ((task.assignment, source), parcel)
        return await self._put(task, self._place(task.assignment), self._parcel[1])

    def _place(self, *parts: str) -> str:
        return "/".join(part for part in (self._folder, *parts) if part)

    async def _put(self, task: Task, place: str, parcel: Parcel) -> Outcome:
        home = await self._homes.make(task.user)
        put = await self._transport.put(home, place, parcel, aside_name(task.assignment, self._now(), self._zone))
        if not put.put:
            return Outcome(State.SKIPPED, f"it is in ~/{place} already")
        kept = f"; what was there is kept as “{put.kept}”" if put.kept else ""
        return Outcome(State.DONE, f"put into ~/{place}{kept}")

    # taking in

    async def _snapshot(self, task: Task) -> Outcome:
        at, kind = self._when(task)
        if (manifest := self._stored(task, at, kind)) is None:
            home = await self._homes.find(task.user)
            if home is None:
                return _nothing(task, "has no files yet")
            with beside(self._layout) as folder:
                place = self._place(task.assignment)
                taken = await self._transport.take(home, place, folder / FILES)
                if not taken.files:
                    refused = "; nothing of it could be taken" if taken.refused else " is empty"
                    return _nothing(task, f"~/{place}{refused}" if taken.found else f"has no folder ~/{place}")
                manifest = self._manifest(task, at, kind, taken)
                if (same := self._same(task, manifest)) is not None:
                    return Outcome(State.SKIPPED, f"nothing is new since {shown(same, self._zone)}")
                self._refuse_too_much(manifest)
                await asyncio.to_thread(store, self._layout, folder, manifest)
        self._book.record(manifest)
        await asyncio.to_thread(self._settle, task.assignment, task.user)
        return Outcome(State.DONE, self._words(manifest), manifest.receipt)

    def _settle(self, assignment: str, user: str) -> None:
        # A connection of its own, as SQLite's are a thread's own.
        book = Book(self._book.path, self._book.now)
        try:
            settle(self._layout, book, assignment, user)
        finally:
            book.close()

    def _when(self, task: Task) -> tuple[float, HandinKind]:
        """The time of a snapshot, and what it is."""
        deadline = self._book.deadline(task.assignment, task.user)
        if task.kind is Kind.HAND_IN:
            in_time = deadline is None or task.asked <= deadline
            return task.asked, HandinKind.EARLY if in_time else HandinKind.LATE
        if deadline is None or task.at < deadline:
            return task.at, HandinKind.DEADLINE if deadline is None else HandinKind.EARLY
        known = self._book.handins(task.assignment, task.user)
        begun_before = any(one.kind is HandinKind.DEADLINE and one.time == deadline for one in known)
        if begun_before and task.at > deadline:
            return task.at, HandinKind.LATE
        return deadline, HandinKind.DEADLINE

    def _stored(self, task: Task, at: float, kind: HandinKind) -> Manifest | None:
        """What an earlier go at this very task has kept already."""
        found = manifests(self._layout, task.assignment, task.user)
        return next((one for one in found if (one.time, one.kind, one.by) == (at, kind, task.by)), None)

    def _manifest(self, task: Task, at: float, kind: HandinKind, taken: Taken) -> Manifest:
        return Manifest(
            course=self._course.name,
            assignment=task.assignment,
            user=task.user,
            kind=kind,
            time=at,
            taken=self._now(),
            by=task.by,
            files=taken.files,
            refused=taken.refused,
        )

    def _same(self, task: Task, manifest: Manifest) -> float | None:
        """When the same files were taken last, where taking them once more says nothing."""
        if task.kind is Kind.HAND_IN or manifest.kind is HandinKind.DEADLINE:
            return None
        known = self._book.handins(task.assignment, task.user)
        return known[-1].time if known and known[-1].content == manifest.content else None

    def _refuse_too_much(self, manifest: Manifest) -> None:
        kept = {one.content: one.size for one in self._book.handins(manifest.assignment, manifest.user)}
        kept[manifest.content] = sum(file.size for file in manifest.files)
        if sum(kept.values()) > MOST_KEPT:
            raise CourseFileError(
                f"all hand-ins of {manifest.user} for {manifest.assignment} would be more than {MOST_KEPT // MIB} MiB",
                next_step="Make the folder smaller: large data need not be handed in.",
            )

    def _words(self, manifest: Manifest) -> str:
        count = len(manifest.files)
        words = [f"{count} file{'' if count == 1 else 's'} of {shown(manifest.time, self._zone)}"]
        if manifest.refused:
            words.append(f"{len(manifest.refused)} not taken: {manifest.refused[0].path}, {manifest.refused[0].why}")
        if manifest.kind is HandinKind.LATE:
            words.append("late, kept apart")
        if manifest.taken - manifest.time > _LATE_LOOK:
            words.append(f"read only at {shown(manifest.taken, self._zone)}")
        return "; ".join(words)

    # grading and giving back

    async def _grade(self, task: Task) -> Outcome:
        if not self._layout.submitted(task.user, task.assignment).is_dir():
            return Outcome(State.SKIPPED, "nothing was handed in or collected")
        return Outcome(State.DONE, await self._grader.grade(task.assignment, task.user))

    async def _return(self, task: Task) -> Outcome:
        found = self._book.assignment(task.assignment)
        graded = self._layout.autograded(task.user, task.assignment)
        if found and found.has_notebooks and not graded.is_dir():
            return Outcome(State.SKIPPED, "nothing of theirs was graded")
        points = await self._grader.feedback(task.assignment, task.user)
        folder = self._layout.feedback(task.user, task.assignment)
        if not folder.is_dir():
            return Outcome(State.SKIPPED, "there is no feedback for them")
        parcel = await asyncio.to_thread(packed, folder)
        put = await self._put(task, self._place(FEEDBACK, task.assignment), parcel)
        # Feedback that says the same is of this grading, too, though nothing had to be put.
        return Outcome(State.DONE, "; ".join([*([points] if points else []), put.words]))


def _nothing(task: Task, why: str) -> Outcome:
    """A hand-in of nothing has failed; that the hub finds nothing to collect is a fact."""
    return Outcome(State.FAILED if task.kind is Kind.HAND_IN else State.SKIPPED, why)
