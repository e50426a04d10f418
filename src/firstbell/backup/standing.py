"""How a course's backups stand: the last complete run, and who is without a good one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firstbell.backup.schedule import last_good, late, whole_course
from firstbell.model.backup import Kind, Snapshot, Subject


@dataclass(frozen=True, slots=True)
class Standing:
    """At one moment. Times are Unix seconds."""

    run: str
    """The last complete one; empty where there is none."""
    time: float | None
    """When that was over."""
    subjects: int
    good: int
    """Of them, those with any good backup."""
    late: tuple[Subject, ...]
    """Whose last good backup is older than twice `every`, or who have none."""
    snapshots: int

    @property
    def is_well(self) -> bool:
        """Whether nobody's is too old."""
        return not self.late and self.time is not None


def standing(
    snapshots: Iterable[Snapshot], subjects: Iterable[Subject], course: str, every: int, now: float
) -> Standing:
    """How they stand."""
    ours = [one for one in snapshots if one.course == course]
    wanted, good = tuple(subjects), last_good(ours)
    whole = whole_course(ours, course)
    return Standing(
        run=whole.run if whole else "",
        time=whole.time if whole else None,
        subjects=len(wanted),
        good=sum(one in good for one in wanted),
        late=late(wanted, ours, every, now),
        snapshots=len(ours),
    )


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run, as a list shows it."""

    run: str
    time: float
    """Of its last snapshot."""
    homes: int
    is_complete: bool
    """Whether it has the hub's state, which comes last."""
    is_whole: bool
    """Whether every file of all it has could be read."""


def runs_of(snapshots: Iterable[Snapshot], course: str) -> tuple[RunLine, ...]:
    """The runs of which anything is left, the latest first."""
    found: dict[str, list[Snapshot]] = {}
    for one in snapshots:
        if one.course == course:
            found.setdefault(one.run, []).append(one)
    lines = [
        RunLine(
            run,
            max(one.time for one in group),
            len({one.subject for one in group if one.subject.kind is Kind.HOME}),
            any(one.subject.kind is Kind.STATE and one.is_whole for one in group),
            all(one.is_whole for one in group),
        )
        for run, group in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: line.time, reverse=True))
