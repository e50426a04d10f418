"""One tree of errors: what happened, where, what to type next, and the exit code that says it to a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class FirstbellError(Exception):
    """Something a person can act on.

    `what` is one sentence, `where` a file and line, container or URL, `next_step` the command or edit that helps,
    `evidence` the last lines of a log. `exit_code` is what the command ends with.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", next_step: str = "", evidence: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step
        self.evidence = tuple(evidence)

    def __str__(self) -> str:
        """Everything on as many lines as it needs; the command line prints the parts itself."""
        parts = [f"{self.where}: {self.what}" if self.where else self.what, *self.evidence]
        return "\n".join([*parts, self.next_step] if self.next_step else parts)


class CourseFileError(FirstbellError):
    """The course file, the roster or another input of the person is wrong."""

    exit_code = 2


class EngineUnavailable(FirstbellError):
    """The Docker Engine does not answer, or not as it should. Says nothing about any server's state."""

    exit_code = 3


class BuildFailed(FirstbellError):
    """An image could not be pulled or built."""

    exit_code = 4


class RegistryFailed(BuildFailed):
    """An image could not be pushed to a registry, or pulled from one; the evidence is what the registry said."""


class StartFailed(FirstbellError):
    """A container did not come up; the evidence is its last log lines."""

    exit_code = 5


class RunStopped(StartFailed):
    """A command was ended, as it took longer or printed more than it may."""


class HomeMissing(StartFailed):
    """A home that must exist cannot be had; never answered with an empty one."""


class HomeAway(HomeMissing):
    """A home on a machine that does not answer now: it is there, and comes back with it."""


class PortTaken(StartFailed):
    """Something else listens where the course should."""


class GradingFailed(FirstbellError):
    """An assignment or a submission is such that it cannot be made, executed or graded; says why."""


class CourseBusy(FirstbellError):
    """Another command is at work on the same course."""

    exit_code = 6


class UnhealthyError(FirstbellError):
    """`doctor` found something that stands in the way."""

    exit_code = 7


class RehearsedBadly(FirstbellError):
    """A rehearsal has shown that the course would not hold the people who come."""

    exit_code = 9


class Declined(FirstbellError):
    """The person answered no, or could not be asked; nothing was changed."""

    exit_code = 8


EXIT_CODES: dict[int, str] = {
    0: "done, or nothing to do",
    1: "failed; the message says what",
    2: "wrong command line, course file or roster",
    3: "the Docker Engine cannot be reached",
    4: "an image could not be pulled, built or pushed",
    5: "a container did not start, or the course does not answer",
    6: "another command is at work on this course",
    7: "doctor found something that stands in the way",
    8: "declined at the question; nothing was changed",
    9: "a rehearsal says no",
    130: "interrupted with Ctrl-C",
}
"""Exit codes of every command, in one place for the documentation."""
