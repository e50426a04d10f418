"""Which homes a course has, as a run of backups finds them, and by which daemon each can be had."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import HomeMissing
from firstbell.model import names
from firstbell.model.backup import Kind, Subject
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.plan.home import directory_helper, home_volume, list_helper, store_volume
from firstbell.plan.home_moves import any_node, choose_target, homes_found, settle


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known beside what the engine shows."""

    users: tuple[str, ...] = ()
    """Where homes are folders nobody else is found: a folder does not say whose it is."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """On a cluster the hub's record of homes that are volumes."""
    ids: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Uid and gid of people who have their own."""


Ask = Callable[[], Awaitable[Known]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject is."""

    engine: Engine
    node: str = ""
    """On a cluster its node's name."""


class Homes:
    """The homes of one course on one engine. `image` is one with python3."""

    def __init__(self, course: Course, engine: Engine, image: str, ask: Ask) -> None:
        self._course = course
        self._engine = engine
        self._image = image
        self._ask = ask
        self.strange: tuple[str, ...] = ()
        """Folders of the last look that are nobody's who is known; they are not backed up."""
        self.people: tuple[str, ...] = ()
        """Who was known at the last look, whether they have a home or not."""

    async def subjects(self) -> tuple[Subject, ...]:
        """Everybody who has a home. Raises EngineUnavailable, HomeMissing."""
        known, observed = await self._ask(), await self._engine.observe(self._course.name)
        self.people = known.users
        if not self._course.homes.is_shared:
            away = {user for user, node in known.nodes.items() if node} if isinstance(self._engine, Cluster) else set()
            awaited = {state.user for state in observed.standbys}
            return tuple(Subject(Kind.HOME, user) for user in sorted({*homes_found(observed), *away} - awaited))
        folders = await self._folders(observed)
        users = {*known.users, *(c.user for c in observed.of_role(Role.SERVER) if not c.is_standby)}
        mine = {names.home(self._course.name, user): user for user in users if user}
        prefix = names.home(self._course.name, "x").rpartition("x-")[0]
        self.strange = tuple(sorted(f for f in folders if f.startswith(prefix) and f not in mine))
        return tuple(Subject(Kind.HOME, user) for folder, user in sorted(mine.items()) if folder in folders)

    async def engine_of(self, subject: Subject) -> Engine:
        """The daemon that has it. Raises as `place_of`."""
        return (await self.place_of(subject)).engine

    async def place_of(self, subject: Subject) -> Place:
        """The daemon that has it, and its node. Raises HomeMissing where that is away, or where there is no home."""
        course, cluster = self._course, self._engine
        if not isinstance(cluster, Cluster):
            if subject.kind is Kind.HOME and course.homes.nfs:
                await self._engine.ensure_volume(home_volume(course, subject.user))
            return Place(self._engine)
        observed = await cluster.observe(course.name)
        if subject.kind is not Kind.HOME:
            node = _node_of_state(observed)
        elif course.homes.is_shared:
            node = any_node(observed)
        else:
            recorded = (await self._ask()).nodes.get(subject.user, "")
            node = settle(observed, subject.user, recorded).node
        machine = await cluster.on(node)
        if subject.kind is Kind.HOME and course.homes.nfs:
            await machine.ensure_volume(home_volume(course, subject.user))
        return Place(machine, node)

    async def make(self, user: str, ids: tuple[int, int]) -> str:
        """An empty home, if there is none; on a cluster its node, where it is on one."""
        if not self._course.homes.is_shared:
            node = await self._node_for_another()
            await self._engine.ensure_volume(home_volume(self._course, user, node))
            return node
        for way in (store_volume(self._course), home_volume(self._course, user)):
            if way and self._course.homes.nfs:
                await self._engine.ensure_volume(way)
        result = await self._engine.run(directory_helper(self._course, user, self._image, *ids), deadline=60)
        if result.exit_code:
            where = self._course.homes.store
            raise HomeMissing(f"the folder of {user} could not be made in {where}", where=where, evidence=result.lines)
        return ""

    async def ids(self, user: str) -> tuple[int, int]:
        """Uid and gid of somebody's files."""
        server = self._course.server
        return (await self._ask()).ids.get(user, (server.uid, server.gid))

    async def is_in_use(self, user: str) -> bool:
        """Whether a server of theirs runs."""
        observed = await self._engine.observe(self._course.name)
        return any(c.user == user and c.phase is Phase.RUNNING for c in observed.of_role(Role.SERVER))

    async def _node_for_another(self) -> str:
        """The node with the fewest homes; empty on one machine."""
        if not isinstance(self._engine, Cluster):
            return ""
        observed = await self._engine.observe(self._course.name)
        count = Counter(node for nodes in homes_found(observed).values() for node in nodes)
        return choose_target(observed.engine.nodes, "", count)

    async def _folders(self, observed: Observed) -> frozenset[str]:
        machine = self._engine
        if isinstance(self._engine, Cluster):
            machine = await self._engine.on(any_node(observed))
        if store := store_volume(self._course):
            await machine.ensure_volume(store)
        result = await machine.run(list_helper(self._course, self._image), deadline=300)
        if result.exit_code:
            where = self._course.homes.store
            raise HomeMissing("the homes cannot be listed", where=where, evidence=result.lines)
        return frozenset(json.loads(result.stdout.splitlines()[-1]))


def users_of(subjects: Iterable[Subject]) -> frozenset[str]:
    """Whose homes are among them."""
    return frozenset(one.user for one in subjects if one.kind is Kind.HOME)


def _node_of_state(observed: Observed) -> str:
    volume = observed.volume(names.volume(observed.course, Role.STATE))
    return volume.node if volume else any_node(observed)
