"""What is to be backed up next, and what there is to go back to. Pure.

A run is a stretch of time: a backup that was killed and begun again in the same one goes on where it was, and what is
done in it already is not done twice. Homes come first and the hub's state last, so a run that has a state is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from firstbell.model.backup import Kind, Lock, Snapshot, Subject

_LATE = 2
"""Times `every`, after which the last good backup is too old: one run may be under way, a second one is missing."""


def run_at(now: float, every: int) -> str:
    """The name of the run that belongs to this moment: when its time began."""
    return datetime.fromtimestamp(now // every * every, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked_run(now: float) -> str:
    """The name of a run that somebody asked for at this moment."""
    return run_at(now, 1)


def unfinished_run(snapshots: Iterable[Snapshot], course: str, now: float, within: float) -> str:
    """The last run if it was cut short, and began less than `within` seconds ago, so that it can go on; else empty."""
    ours = [one for one in snapshots if one.course == course and one.run]
    last = max(ours, key=lambda one: one.time, default=None)
    if last is None or any(s.run == last.run and s.subject.kind is Kind.STATE and s.is_whole for s in ours):
        return ""
    began = min(one.time for one in ours if one.run == last.run)
    return last.run if now - began < within else ""


def is_first_of_day(snapshots: Iterable[Snapshot], course: str, now: float) -> bool:
    """Whether nothing of the course was backed up on this day (UTC) before; then what has had its time goes."""
    return all(one.time // _DAY < now // _DAY for one in snapshots if one.course == course)


def due(subjects: Iterable[Subject], snapshots: Iterable[Snapshot], run: str) -> tuple[Subject, ...]:
    """Those without a whole snapshot of the run: homes, those that wait longest first, then coursework, then state."""
    snapshots = tuple(snapshots)
    done = {one.subject for one in snapshots if one.run == run and one.is_whole}
    last = last_good(snapshots)
    return tuple(
        sorted(
            set(subjects) - done,
            key=lambda one: (_ORDER[one.kind], last[one].time if one in last else 0.0, one.user),
        )
    )


_ORDER = {Kind.HOME: 0, Kind.COURSEWORK: 1, Kind.STATE: 2}


def last_good(snapshots: Iterable[Snapshot], until: float = float("inf")) -> Mapping[Subject, Snapshot]:
    """The last whole snapshot of each subject, not after `until`."""
    found: dict[Subject, Snapshot] = {}
    for one in sorted(snapshots, key=lambda one: (one.time, one.id)):
        if one.is_whole and one.time <= until:
            found[one.subject] = one
    return found


def vanished(subjects: Iterable[Subject], snapshots: Iterable[Snapshot], users: Iterable[str]) -> tuple[Subject, ...]:
    """Homes of `users` that were backed up and are not among `subjects`, if they are more than those that are.

    Single ones are deleted every day; of most of a course it is likelier that the disk they are on is not mounted.
    """
    homes, known = {one for one in subjects if one.kind is Kind.HOME}, set(users)
    gone = [one for one in last_good(snapshots) if one.kind is Kind.HOME and one.user in known and one not in homes]
    return tuple(sorted(gone)) if len(gone) > len(homes) else ()


def drill_choice(snapshots: Iterable[Snapshot], course: str, chance: Callable[[int], int]) -> Snapshot | None:
    """The last good snapshot of a home that `chance` chooses, given how many there are; None where there is none."""
    last = last_good(one for one in snapshots if one.course == course and one.subject.kind is Kind.HOME)
    homes = sorted(last)
    return last[homes[chance(len(homes))]] if homes else None


def late(subjects: Iterable[Subject], snapshots: Iterable[Snapshot], every: int, now: float) -> tuple[Subject, ...]:
    """Those whose last good snapshot is too old, or who have none."""
    last = last_good(snapshots)
    return tuple(sorted(one for one in subjects if one not in last or now - last[one].time > _LATE * every))


_LOCK_SECONDS = 600.0
_DAY = 86400


@dataclass(frozen=True, slots=True)
class WholeCourse:
    """A set of snapshots that belong together."""

    run: str
    time: float
    """Of the state, which comes last."""
    snapshots: tuple[Snapshot, ...]
    """The state, and of everything that the run has seen the run's snapshot, or, not whole, the last whole one."""
    earlier: tuple[Snapshot, ...]
    """Of what only earlier runs have seen, the last whole one: homes on a node that was away, or of people who left."""


def whole_course(snapshots: Iterable[Snapshot], course: str, at: float = float("inf")) -> WholeCourse | None:
    """The last complete run's set, not after `at`; None where no run has been completed."""
    ours = tuple(one for one in snapshots if one.course == course and one.time <= at)
    state = last_good(ours).get(Subject(Kind.STATE))
    if state is None:
        return None
    before = tuple(one for one in ours if one.time <= state.time)
    seen = {one.subject for one in before if one.run == state.run}
    found = last_good(before)
    chosen = {subject: one for subject, one in found.items() if subject in seen}
    rest = (one for subject, one in found.items() if subject not in seen)
    return WholeCourse(
        run=state.run,
        time=state.time,
        snapshots=tuple(sorted(chosen.values(), key=lambda one: one.subject)),
        earlier=tuple(sorted(rest, key=lambda one: one.subject)),
    )


def are_left_over(locks: Iterable[Lock], machine: str, now: float, *, nobody_at_work: bool = False) -> bool:
    """Whether every lock is one that a killed backup of this course left behind, so that all can be removed.

    restic itself would ask whether the lock's process is alive, by its number; in containers all have the same. Whoever
    is at work renews a lock every five minutes, so one that has not been for ten is nobody's. With `nobody_at_work`, as
    the engine has it, no lock by the very name of this machine is anybody's. The name is `COURSE.LIFE`: a course that
    came back from its backups has another life, and may find the locks of the one before.
    """
    locks = tuple(locks)
    course = machine.partition(".")[0]
    return bool(locks) and all(
        (nobody_at_work and one.host == machine)
        or (one.host.partition(".")[0] == course and now - one.time > _LOCK_SECONDS)
        for one in locks
    )
