"""A whole course from its backups, onto a machine that has nothing of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from firstbell.backup.backups import Backups, Tell, words_of
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.schedule import WholeCourse, whole_course
from firstbell.engine.base import Engine, Report, ignore
from firstbell.engine.waiting import together
from firstbell.errors import CourseFileError, StartFailed
from firstbell.model import names
from firstbell.model.backup import Kind, Snapshot
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import ROSTER_FILE
from firstbell.work.backups import backups_of
from firstbell.work.lock import course_lock

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class RestoredCourse:
    """What came back."""

    run: str
    time: float
    """Of the backup, Unix seconds."""
    homes: int
    earlier: tuple[str, ...]
    """Whose files are of an earlier run, as that run had not seen them."""
    seconds: float


async def plan_restore(engine: Engine, course: Course, at: float | None, report: Report = ignore) -> WholeCourse:
    """What would come back. Raises BackupFailed where there is no complete run."""
    _refuse_cluster(course)
    async with backups_of(engine, course, report) as backups:
        return await _chosen(backups, at)


async def restore_course(
    engine: Engine, course: Course, at: float | None, *, tell: Tell, report: Report = ignore
) -> RestoredCourse:
    """Bring homes, the hub's state and the coursework back as they were. Killed anywhere, the next call goes on.

    Raises FirstbellError where the machine has anything of the course, BackupFailed.
    """
    began = time.monotonic()
    _refuse_cluster(course)
    with course_lock(course.name):
        cores = float((await engine.facts()).cpus)
        async with backups_of(engine, course, report, cpu=cores) as backups:
            observed = await engine.observe(course.name)
            marker = _volume(course, Role.RESTORING)
            is_again = observed.volume(marker.name) is not None
            if not is_again:
                await _must_be_empty(backups, observed)
            chosen = await _chosen(backups, at)
            await engine.ensure_volume(marker)
            await _bring_back(engine, backups, (*chosen.snapshots, *chosen.earlier), tell, is_again=is_again)
            await engine.remove_volume(marker.name)
            await _roster_back(engine, backups)
    everything = (*chosen.snapshots, *chosen.earlier)
    return RestoredCourse(
        run=chosen.run,
        time=chosen.time,
        homes=sum(one.subject.kind is Kind.HOME for one in everything),
        earlier=tuple(one.subject.user for one in chosen.earlier),
        seconds=time.monotonic() - began,
    )


async def refuse_half_restored(engine: Engine, course: Course) -> None:
    """Raises StartFailed while a restore of the course was cut short: people would come to half of it."""
    if course.backup and (await engine.observe(course.name)).volume(names.volume(course.name, Role.RESTORING)):
        raise StartFailed(
            "the course is only half back from its backups",
            where=course.name,
            next_step="Go on with it: firstbell restore --all",
        )


async def _chosen(backups: Backups, at: float | None) -> WholeCourse:
    found = whole_course(await backups.snapshots(), backups.course.name, float("inf") if at is None else at)
    if found is None:
        raise BackupFailed(Trouble.NO_SNAPSHOT, f"a complete run of {backups.course.name} in {backups.table.to}")
    return found


async def _bring_back(
    engine: Engine, backups: Backups, snapshots: tuple[Snapshot, ...], tell: Tell, *, is_again: bool
) -> None:
    """Two at a time: each waits for the disk and for its key. What one that was cut short has left goes first."""
    keeper, course = await backups.keeper(), backups.course
    places, done = asyncio.Semaphore(_AT_ONCE), 0
    roles = {Kind.STATE: Role.STATE, Kind.COURSEWORK: Role.COURSEWORK}

    async def bring(snapshot: Snapshot) -> None:
        nonlocal done
        async with places:
            subject = snapshot.subject
            tell(done, len(snapshots), words_of(subject))
            if subject.kind is Kind.HOME:
                await backups.homes.make(subject.user, await backups.homes.ids(subject.user))
            else:
                await engine.ensure_volume(_volume(course, roles[subject.kind]))
            if is_again:
                await engine.run(backups.helpers.clear(subject))
            await keeper.restore(snapshot)
            done += 1

    await together(*(bring(snapshot) for snapshot in snapshots))


async def _roster_back(engine: Engine, backups: Backups) -> None:
    """The roster that the hub had, where the course's own is missing."""
    access = backups.course.access
    if access.login != "roster" or access.roster.exists():
        return
    result = await engine.run(backups.helpers.read_state(ROSTER_FILE))
    if result.exit_code == 0 and result.stdout:
        access.roster.parent.mkdir(parents=True, exist_ok=True)
        access.roster.write_bytes(result.stdout)


async def _must_be_empty(backups: Backups, observed: Observed) -> None:
    course = backups.course
    there = [volume for volume in observed.volumes if volume.role in {Role.HOME, Role.STATE, Role.COURSEWORK}]
    folders = await backups.homes.subjects() if course.homes.is_shared else ()
    if not (there or folders or backups.homes.strange or observed.of_role(Role.HUB)):
        return
    count = sum(volume.role == Role.HOME for volume in there) + len(folders) + len(backups.homes.strange)
    raise CourseFileError(
        f"the machine has {course.name} already ({count} homes), and nothing of it is overwritten",
        where=course.homes.store if course.homes.is_shared else course.name,
        next_step="One person's files: firstbell restore USER. If all of it is to be replaced: firstbell down "
        "--delete-homes first",
    )


def _refuse_cluster(course: Course) -> None:
    if course.engine.kind == "swarm":
        raise CourseFileError(
            "a whole course comes back on one machine only",
            where="[engine] kind",
            next_step='Bring it back with kind = "docker" on a manager, then: docs/how-to/from-docker-to-swarm.md',
        )


def _volume(course: Course, role: Role) -> VolumeSpec:
    return VolumeSpec(names.volume(course.name, role), frozen(names.labels(course.name, role)))
