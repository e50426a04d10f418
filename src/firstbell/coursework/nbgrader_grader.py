"""Grades with nbgrader: three containers for each submission; the gradebook has many readers or one writer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firstbell.coursework import grading_containers as containers
from firstbell.coursework.turns import Turns
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, FirstbellError, GradingFailed, RunStopped
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.runtime import COURSEWORK_DIR

_LONGEST_ANSWER = 32 * 1024**2
"""Bytes of what a hostile container says that are looked at: its outputs as JSON, three times over."""
_MOST_WORDS = 12
POINTS = " points"
"""In the words of every grade."""
BY_HAND = "the rest is graded by hand"


@dataclass(frozen=True, slots=True)
class About:
    """What the gradebook is told of a person and their assignment."""

    due: str = ""
    """ISO time with zone; empty for no deadline."""
    extension_seconds: float = 0.0
    first_name: str = ""
    last_name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """What came of one submission."""

    score: float
    max_score: float
    needs_manual: bool
    late_penalty: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people, in one line."""
        parts = [f"{self.score:g} of {self.max_score:g}{POINTS}"]
        parts += [f"{self.late_penalty:g} taken off for being late"] if self.late_penalty else []
        parts += [BY_HAND] if self.needs_manual else []
        shown = self.remarks[:_MOST_WORDS]
        more = len(self.remarks) - len(shown)
        return "; ".join([*parts, *shown, *([f"{more} more remarks"] if more else [])])


def _nothing(assignment: str, user: str) -> About:
    del assignment, user
    return About()


@dataclass
class NbGrader:
    """A `Grader` (see grading.py) of one course on one engine. `tell` knows deadlines, extensions and names."""

    engine: Engine
    course: Course
    course_image: str
    grader: BuildSpec
    tell: Callable[[str, str], About] = _nothing
    _gradebook: Turns = field(default_factory=Turns)
    _building: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def release(self, assignment: str) -> str:
        """See Grader.release."""
        due = self.tell(assignment, "").due
        said = await self._write("student", assignment, {"assignment": assignment, **({"due": due} if due else {})})
        notebooks = ", ".join(f"{name}.ipynb" for name in said["notebooks"])
        return "; ".join([f"{notebooks}: {said['max_score']:g} points", *said["remarks"]])

    async def grade(self, assignment: str, user: str) -> str:
        """See Grader.grade."""
        return (await self.graded(assignment, user)).words

    async def graded(self, assignment: str, user: str) -> Graded:
        """As `grade`, in values. Raises GradingFailed, StartFailed, EngineUnavailable."""
        about = {"assignment": assignment, "user": user}
        prepared = await self._trusted("prepare", f"{assignment}/{user}", about)
        said, ended = await self._execute(f"{assignment}/{user}", prepared)
        told = self.tell(assignment, user)
        recorded = await self._write(
            "record",
            f"{assignment}/{user}",
            {
                **about,
                "digests": prepared["digests"],
                "said": said,
                "ended": ended,
                **({"due": told.due} if told.due else {}),
                "extension_seconds": told.extension_seconds,
                "first_name": told.first_name,
                "last_name": told.last_name,
                "email": told.email,
            },
        )
        return Graded(
            recorded["score"],
            recorded["max_score"],
            recorded["needs_manual"],
            recorded["late_penalty"],
            (*prepared["remarks"], *recorded["remarks"]),
        )

    async def feedback(self, assignment: str, user: str) -> str:
        """See Grader.feedback."""
        async with self._gradebook.reading():
            said = await self._trusted("feedback", f"{assignment}/{user}", {"assignment": assignment, "user": user})
        return Graded(said["score"], said["max_score"], said["needs_manual"], said["late_penalty"]).words

    async def grades(self, assignment: str = "", user: str = "") -> tuple[Mapping[str, Any], ...]:
        """The gradebook's rows, of everything or of one assignment, one user. Raises GradingFailed."""
        said = await self._trusted("grades", f"{assignment}/{user}/", {"assignment": assignment, "user": user})
        return tuple(said["rows"])

    async def ensure_image(self) -> str:
        """The image of nbgrader, built when it is first needed. Raises BuildFailed."""
        async with self._building:
            if await self.engine.image(self.grader.tag) is None:
                await self.engine.build(self.grader)
        return self.grader.tag

    async def _write(self, verb: str, about: str, job: Mapping[str, Any]) -> Any:
        async with self._gradebook.writing():
            return await self._trusted(verb, about, job)

    async def _trusted(self, verb: str, about: str, job: Mapping[str, Any]) -> Any:
        spec = containers.trusted(self.course, await self.ensure_image(), verb, about)
        line = json.dumps({"root": COURSEWORK_DIR, "course": self.course.name, **job}).encode() + b"\n"
        result = await self.engine.run(spec, line, containers.TRUSTED_SECONDS)
        try:
            said = json.loads(result.stdout) if result.exit_code == 0 else None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise GradingFailed(
                f"nbgrader has failed (exit code {result.exit_code})",
                where=about,
                next_step="Its last lines are above. docs/nbgrader.md tells what it asks for.",
                evidence=result.lines,
            )
        if "problems" in said:
            raise _refused(verb, about, said["problems"])
        return said

    async def _execute(self, about: str, prepared: Mapping[str, Any]) -> tuple[str, str]:
        """The last line that the hostile container said, unread, and how it ended, in words; empty for well."""
        spec = containers.hostile(self.course, self.course_image, about)
        try:
            result = await self.engine.run(spec, execute_job(prepared), containers.SECONDS + containers.END_SECONDS)
        except RunStopped as stopped:
            return "", _how_it_was_stopped(spec, stopped)
        line = result.stdout.strip().rpartition(b"\n")[2]
        if len(line) > _LONGEST_ANSWER:
            return "", "it said more than is read"
        ended = _EXITS.get(result.exit_code, f"it ended with exit code {result.exit_code}") if result.exit_code else ""
        if not line and not ended:
            ended = "it ended before it had said anything"
        return line.decode(errors="replace"), ended


_EXITS = {137: "it was killed, as is what takes more memory than it may", 127: "the course's image has no python3"}


def execute_job(prepared: Mapping[str, Any]) -> bytes:
    """What the hostile container is given."""
    job = {
        "notebooks": prepared["notebooks"],
        "files": prepared["files"],
        "folder": containers.FOLDER,
        "cell_seconds": prepared["cell_seconds"] or containers.CELL_SECONDS,
        "seconds": containers.SECONDS,
        "output_bytes": containers.OUTPUT_BYTES,
    }
    return json.dumps(job).encode() + b"\n"


def _how_it_was_stopped(spec: ContainerSpec, stopped: RunStopped) -> str:
    return stopped.what.replace(spec.name, "it")


def _refused(verb: str, about: str, problems: list[str]) -> FirstbellError:
    first, *others = problems
    steps = {
        "student": "Mend it in the assignment's folder, then release it again.",
        "feedback": "Grade it first.",
    }
    assignment, _, user = about.partition("/")
    kind = CourseFileError if verb == "student" else GradingFailed
    return kind(
        first,
        where=f"submitted/{user}/{assignment}" if user else f"source/{assignment}",
        next_step=steps.get(verb, "The hand-in is kept as it is. Mend what is said, or grade it by hand."),
        evidence=others[:_MOST_WORDS],
    )
