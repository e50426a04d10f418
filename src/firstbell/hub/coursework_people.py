"""Whose coursework it is: the people of the course as the hub knows them, and their homes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from firstbell.config.roster import normalise_username, parse_roster
from firstbell.coursework.transport import Home
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import CourseBusy, CourseFileError, HomeMissing
from firstbell.hub.home_control import refuse_while_moving
from firstbell.hub.homes import Store
from firstbell.hub.people import PeopleStore
from firstbell.model.container import Mount
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.roster import Person, PersonRole
from firstbell.plan.home import directory_helper, home_mount, home_volume, marker_mounts, store_volume

_FOUND_FOR = 20.0
"""Seconds for which a look at all volumes holds."""


class Roll:
    """The people of the course, from the roster or, without one, from who is allowed in and who has a home."""

    def __init__(self, course: Course, store: PeopleStore) -> None:
        self._course = course
        self._store = store
        self._text: str | None = None
        self._people: dict[str, Person] = {}

    def people(self) -> dict[str, Person]:
        """Everybody, by user name, in the roster's order."""
        access = self._course.access
        if access.login == "roster":
            return self._roster()
        allowed = () if isinstance(access.allow, str) else access.allow
        users = dict.fromkeys((*allowed, *sorted(self._store.home_nodes())))
        return {name: Person(name) for name in users}

    def person(self, user: str) -> Person | None:
        """Somebody of the course."""
        return self.people().get(user)

    def students(self) -> dict[str, Person]:
        """Those for whom assignments are."""
        staff = set(self._course.access.staff)
        return {
            name: person
            for name, person in self.people().items()
            if person.role is PersonRole.STUDENT and name not in staff
        }

    def whom(self, words: Iterable[str]) -> dict[str, Person]:
        """The students of these user names and sections; all without words. Raises CourseFileError for unknown ones.

        Staff who are named get it, too, for a try.
        """
        students, everybody, found, unknown = self.students(), self.people(), {}, []
        for word in words:
            section = word.removeprefix("section:")
            inside = {name: person for name, person in students.items() if person.section == section}
            user = normalise_username(word)
            if user in everybody or user in self._course.access.staff:
                found[user] = everybody.get(user) or Person(user, role=PersonRole.INSTRUCTOR)
            elif section and inside:
                found |= inside
            else:
                unknown.append(word)
        if unknown:
            raise CourseFileError(
                f"neither a person nor a section of the course: {', '.join(unknown)}",
                next_step="See who there is: firstbell people list",
            )
        return found if tuple(words) else students

    def ids(self, user: str) -> tuple[int, int]:
        """Uid and gid of somebody's files."""
        person, server = self.person(user), self._course.server
        uid, gid = (person.uid, person.gid) if person else (None, None)
        return (server.uid if uid is None else uid, server.gid if gid is None else gid)

    def _roster(self) -> dict[str, Person]:
        text = self._store.kept("roster") or ""
        if text != self._text:
            people = parse_roster(text, "the last good roster").people if text else ()
            self._text, self._people = text, {person.username: person for person in people}
        return self._people


class CourseHomes:
    """Homes as the hub records them; see `transport.Homes`."""

    def __init__(self, course: Course, store: PeopleStore, engine: Engine, image: str, roll: Roll) -> None:
        self._course = course
        self._store = store
        self._engine = engine
        self._image = image
        self._roll = roll
        self._shared = Store(course, engine, image, is_cluster=isinstance(engine, Cluster))
        self._looked: tuple[float, frozenset[str]] = (float("-inf"), frozenset())

    async def find(self, user: str) -> Home | None:
        """The home; None of somebody who has none. Raises CourseBusy while it is being moved, HomeMissing."""
        self._wait_for_a_move(user)
        if self._store.has_home(user) or user in await self._with_volumes():
            return await self._home(user)
        return None

    async def make(self, user: str) -> Home:
        """The home, made if there is none."""
        if (found := await self.find(user)) is not None:
            return found
        if self._course.homes.is_shared:
            await self._make_folder(user)
        elif isinstance(self._engine, Cluster):
            raise HomeMissing(
                f"{user} has not come yet, so no node has a home of theirs",
                next_step=f"Once they have: firstbell release NAME --to {user}",
            )
        else:
            await self._engine.ensure_volume(home_volume(self._course, user))
        self._store.record_home(user)
        return await self._home(user)

    def _wait_for_a_move(self, user: str) -> None:
        try:
            refuse_while_moving(self._store, user)
        except HomeMissing as error:
            raise CourseBusy(error.what, where=error.where, next_step=error.next_step) from error

    async def _with_volumes(self) -> frozenset[str]:
        """Users with a volume that no start has recorded yet, as after `firstbell homes import`."""
        if self._course.homes.is_shared:
            return frozenset()
        since, found = self._looked
        if time.monotonic() - since > _FOUND_FOR:
            observed = await self._engine.observe(self._course.name)
            found = frozenset(volume.user for volume in observed.volumes if volume.role == Role.HOME)
            self._looked = (time.monotonic(), found)
        return found

    async def _home(self, user: str) -> Home:
        node = await self._node(user)
        engine: Engine = await self._engine.on(node) if isinstance(self._engine, Cluster) else self._engine
        if self._course.homes.nfs:
            await engine.ensure_volume(home_volume(self._course, user))
        uid, gid = self._roll.ids(user)
        mount: Mount = home_mount(self._course, user)
        extra = marker_mounts(self._course, await self._shared.marker()) if self._course.homes.directory else ()
        return Home(user, engine, mount, uid, gid, extra, as_owner=self._course.homes.nfs is not None)

    async def _node(self, user: str) -> str:
        """The node on which the home can be had; empty on one machine."""
        if not isinstance(self._engine, Cluster):
            return ""
        if node := self._store.home_node(user):
            return node
        linked = [node for node in (await self._engine.facts()).nodes if node.linked]
        if not linked:
            raise HomeMissing("no node answers", where=self._course.name, next_step="See: firstbell nodes list")
        return min(linked, key=lambda node: (not node.manager, node.name)).name

    async def _make_folder(self, user: str) -> None:
        """As a start does, see `starting.py`."""
        node, (uid, gid) = await self._node(user), self._roll.ids(user)
        for way in (store_volume(self._course, node), home_volume(self._course, user, node)):
            if way and self._course.homes.nfs:
                await self._engine.ensure_volume(way)
        marker = await self._shared.marker()
        helper = directory_helper(self._course, user, self._image, uid, gid, node=node, marker=marker)
        result = await self._engine.run(helper, deadline=60)
        if result.exit_code and self._course.homes.nfs:
            where = self._course.homes.store
            raise HomeMissing(f"the folder of {user} could not be made in {where}", where=where, evidence=result.lines)
