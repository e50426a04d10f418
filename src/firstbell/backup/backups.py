"""A course's backups as one object: made, looked at, checked, tried, and brought back.

The hub's service and the commands hold one; it knows an engine and a course, and neither hub nor command line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from time import time
from zoneinfo import ZoneInfo

from firstbell.backup import restic
from firstbell.backup.containers import HELPER_SUFFIX, ROOM, SCRATCH, Helpers
from firstbell.backup.earlier import NoRoom, NotThere, room_of
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.homes import Homes
from firstbell.backup.keeper import Keeper, Outcome
from firstbell.backup.results import Made, Restored, RestoreWish
from firstbell.backup.same_storage import SameStorage
from firstbell.backup.schedule import asked_run, due, is_first_of_day, last_good, unfinished_run, vanished
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import CourseFileError, FirstbellError
from firstbell.model import names
from firstbell.model.backup import Entry, Kind, Snapshot, Subject
from firstbell.model.backup_table import BackupTable
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase, RunResult

Tell = Callable[[int, int, str], None]
"""Done, all, and what is at work."""
_LONG = 24 * 3600.0


def table_of(course: Course) -> BackupTable:
    """`[backup]` of the course. Raises CourseFileError where it has none."""
    if course.backup is None:
        raise CourseFileError(
            "the course has no backups",
            where="[backup]",
            next_step="Add [backup] to the course file, then: firstbell up",
        )
    return course.backup


class Backups:
    """See the module. One thing at a time: whoever holds it sees to that."""

    def __init__(
        self,
        course: Course,
        engine: Engine,
        image: str,
        homes: Homes,
        *,
        clock: Callable[[], float] = time,
        cpu: float = 0.5,
    ) -> None:
        """`cpu`: cores that it may keep busy; few while people work."""
        self.course = course
        self.table = table_of(course)
        self.homes = homes
        self._engine = engine
        self._clock = clock
        self._zone = ZoneInfo(course.time_zone)
        self.helpers = Helpers(course, image, self.table.storage, f"{names.PREFIX}-{course.name}", cpu)

    @property
    def own_subjects(self) -> tuple[Subject, ...]:
        """What the course has beside homes."""
        coursework = (Subject(Kind.COURSEWORK),) if self.course.coursework else ()
        return (*coursework, Subject(Kind.STATE))

    async def keeper(self) -> Keeper:
        """Whoever speaks with the storage, where the hub's state is."""
        engine = await self.homes.engine_of(Subject(Kind.STATE))
        state = (await self._engine.observe(self.course.name)).volume(names.volume(self.course.name, Role.STATE))
        life = hashlib.sha256(state.created_at.encode()).hexdigest()[:8] if state else "new"
        cache = self.helpers.cache
        if cache and not self.helpers.has_cache and not isinstance(self._engine, Cluster):
            await self._engine.ensure_volume(cache)
            self.helpers = replace(self.helpers, has_cache=True)
        self.helpers = replace(self.helpers, machine=f"{names.PREFIX}-{self.course.name}.{life}")
        engine_of = SameStorage(self.helpers, self.homes).engine_of
        return Keeper(self.helpers, engine, engine_of, self._clock, self._nobody_at_work)

    async def _nobody_at_work(self) -> bool:
        helpers = (await self._engine.observe(self.course.name)).of_role(Role.HELPER)
        return not any(one.name.endswith(HELPER_SUFFIX) and one.phase is not Phase.EXITED for one in helpers)

    async def snapshots(self, *, may_be_none: bool = False) -> tuple[Snapshot, ...]:
        """Those of the course, the oldest first. Raises BackupFailed, unless `may_be_none` where no storage is."""
        try:
            found = await (await self.keeper()).snapshots()
        except BackupFailed as error:
            if may_be_none and error.trouble is Trouble.NO_REPOSITORY:
                return ()
            raise
        return tuple(one for one in found if one.course == self.course.name)

    async def back_up(self, tell: Tell, run: str = "") -> Made:
        """A run: the named one, else one that was cut short within `every`, else a new one. Raises as `Keeper.run`."""
        keeper = await self.keeper()
        tell(0, 0, "looking at the storage")
        await keeper.prepare()
        before, homes = await self.snapshots(), await self.homes.subjects()
        now = self._clock()
        run = run or unfinished_run(before, self.course.name, now, self.table.every) or asked_run(now)
        subjects = (*homes, *self.own_subjects)
        waiting = due(subjects, before, run)
        seen: list[Outcome] = []

        def told(outcome: Outcome) -> None:
            seen.append(outcome)
            following = waiting[len(seen)] if len(seen) < len(waiting) else None
            tell(len(seen), len(waiting), words_of(following) if following else "the last marks")

        tell(0, len(waiting), words_of(waiting[0]) if waiting else "nothing is left to do")
        outcomes = await keeper.run(run, subjects, told)
        thinned = 0
        if is_first_of_day(before, self.course.name, now):
            tell(len(seen), len(waiting), "forgetting what has had its time")
            thinned = await keeper.thin(self.table.keep.counts, self._zone)
        gone = vanished(homes, before, self.homes.people)
        return Made(run, outcomes, len(homes), thinned, self.homes.strange, tuple(one.user for one in gone))

    async def check(self) -> int:
        """Read and compare every byte in the storage; how many snapshots there are. Raises BackupFailed."""
        keeper = await self.keeper()
        await keeper.check()
        return len(await keeper.snapshots())

    async def drill(self, snapshot: Snapshot) -> int:
        """Restore one where it is nobody's and compare every byte; how many files. Raises BackupFailed, NoRoom."""
        await self._see_room(await self.homes.engine_of(Subject(Kind.STATE)), snapshot)
        return await (await self.keeper()).drill(snapshot)

    async def stored_bytes(self) -> int:
        """What all snapshots together take in the storage. Raises BackupFailed."""
        return restic.stored_bytes(await self._ask(restic.STATS), self.table.storage)

    async def find(self, wish: RestoreWish) -> Snapshot:
        """The snapshot that is meant; never somebody else's. Raises BackupFailed where there is none."""
        theirs = [one for one in await self.snapshots() if one.subject == Subject(Kind.HOME, wish.user)]
        if wish.snapshot:
            found = next((one for one in reversed(theirs) if one.id.startswith(wish.snapshot)), None)
        else:
            until = float("inf") if wish.at is None else wish.at
            found = last_good(theirs, until).get(Subject(Kind.HOME, wish.user))
        if found is None:
            raise BackupFailed(Trouble.NO_SNAPSHOT, f"the home of {wish.user}")
        return found

    async def entries(self, snapshot: Snapshot, path: str = "") -> tuple[Entry, ...]:
        """What is in a folder of a home's snapshot; paths are below the home. Raises BackupFailed."""
        top = self.helpers.place_of(snapshot.subject)
        asked = await self._ask(restic.listing(snapshot.id, f"{top}/{path}".rstrip("/")))
        found = restic.entries(asked, self.table.storage)
        inside = f"{top}/{path}/" if path else f"{top}/"
        return tuple(
            replace(one, path=one.path.removeprefix(f"{top}/")) for one in found if one.path.startswith(inside)
        )

    async def content(self, snapshot: Snapshot, path: str) -> bytes:
        """A file of a home's snapshot. Raises BackupFailed; RunStopped where it is more than an engine keeps."""
        top = self.helpers.place_of(snapshot.subject)
        return restic.done(await self._ask(restic.dump(snapshot.id, f"{top}/{path}")), self.table.storage).stdout

    async def restore(self, wish: RestoreWish) -> Restored:
        """Put files as they were into their home, beside what is there. Raises BackupFailed, HomeMissing."""
        snapshot = await self.find(wish)
        engine = await self._home(wish.user)
        await self._see_room(engine, snapshot, wish.path)
        async with self._apart(engine, snapshot, wish.path):
            ids = await self.homes.ids(wish.user)
            told = {"path": wish.path, "label": self.label(snapshot)}
            result = await engine.run(self.helpers.put_back(wish.user, told, ids), deadline=_LONG)
        if result.exit_code:
            raise FirstbellError(
                f"the files could not be put into the home of {wish.user}",
                next_step="Is it full? What was there is unchanged.",
                evidence=result.lines,
            )
        done = json.loads(result.stdout.splitlines()[-1])
        if done.get("missing"):
            raise BackupFailed(Trouble.NO_PATH, f"{wish.path}, {self.label(snapshot)}")
        return Restored(wish.user, snapshot.id, snapshot.time, done["place"], done["files"], done["size"])

    async def take(self, wish: RestoreWish) -> tuple[Snapshot, AsyncIterator[bytes]]:
        """The same, as a tar for elsewhere. Raises BackupFailed; also while it is read."""
        snapshot = await self.find(wish)
        return snapshot, self._tar(snapshot, wish)

    async def _tar(self, snapshot: Snapshot, wish: RestoreWish) -> AsyncIterator[bytes]:
        engine = await self.homes.engine_of(Subject(Kind.STATE))
        top = f"{SCRATCH}{self.helpers.place_of(snapshot.subject)}"
        async with self._apart(engine, snapshot, wish.path):
            spec = self.helpers.hand_out(wish.user)
            await engine.start(spec)
            try:
                async for chunk in engine.get(spec.name, f"{top}/{wish.path}".rstrip("/")):
                    yield chunk
            except FileNotFoundError:
                raise BackupFailed(Trouble.NO_PATH, f"{wish.path}, {self.label(snapshot)}") from None
            finally:
                await engine.stop(spec.name, 1)

    def label(self, snapshot: Snapshot) -> str:
        """When it was, by the course's clock, such that it can be a part of a file's name."""
        return datetime.fromtimestamp(snapshot.time, self._zone).strftime("%Y-%m-%d %H.%M")

    @contextlib.asynccontextmanager
    async def _apart(self, engine: Engine, snapshot: Snapshot, path: str) -> AsyncIterator[None]:
        """While the block runs the scratch volume holds it."""
        volume = self.helpers.scratch(snapshot.subject.user)
        await engine.remove_volume(volume.name)  # what a kill left
        await engine.ensure_volume(volume)
        try:
            spec = self.helpers.restore_apart(snapshot.id, snapshot.subject, (path,) if path else ())
            restic.done(await engine.run(spec, deadline=_LONG), self.table.storage)
            yield
        finally:
            await engine.remove_volume(volume.name)

    async def _see_room(self, engine: Engine, snapshot: Snapshot, path: str = "") -> None:
        """Raises NoRoom before a disk is filled that everybody needs."""
        spec = self.helpers.look(ROOM, snapshot.id, snapshot.subject, path)
        with contextlib.suppress(NotThere):  # whoever restores it says so
            if not room_of(await engine.run(spec, deadline=_LONG), self.table.storage).is_enough:
                raise NoRoom(snapshot.subject.user)

    async def _home(self, user: str) -> Engine:
        """The daemon of the home, which is made where it is gone."""
        subject = Subject(Kind.HOME, user)
        if subject not in await self.homes.subjects():
            await self.homes.make(user, await self.homes.ids(user))
        return await SameStorage(self.helpers, self.homes).engine_of(subject)

    async def _ask(self, arguments: restic.Arguments) -> RunResult:
        return await (await self.keeper()).ask(arguments)


def words_of(subject: Subject) -> str:
    """A subject for people."""
    return {
        Kind.HOME: f"the home of {subject.user}",
        Kind.COURSEWORK: "the coursework",
        Kind.STATE: "the hub's state",
    }[subject.kind]


def clean_path(path: str) -> str:
    """A path below a home as it was typed. Raises CourseFileError for one that leads out of it."""
    parts = [part for part in path.removeprefix("~/").strip("/").split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in path:
        raise CourseFileError(
            f'"{path}" is no path inside a home', next_step="Write for example: --path week1/notes.ipynb"
        )
    return "/".join(parts)


__all__ = ["Backups", "Made", "RestoreWish", "Restored", "clean_path", "table_of", "words_of"]
