"""The homes of a course as its coursework finds them: on one machine, on a node of a cluster, or on all of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from firstbell.coursework.transport import Home
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import CourseBusy, HomeMissing
from firstbell.hub.coursework.people import Roll
from firstbell.hub.homes import choice as home_choice
from firstbell.hub.homes.control import refuse_while_moving
from firstbell.hub.homes.ledger import perhaps_away, unsearched
from firstbell.hub.homes.store import Store
from firstbell.hub.people.book import PeopleStore
from firstbell.model.course import Course
from firstbell.model.observed import NodeState
from firstbell.plan.home import directory_helper, home_mount, home_volume, marker_mounts, store_volume
from firstbell.plan.home_moves import away, choose_target, homes_found

_FOUND_FOR = 20.0
"""Seconds for which a look at all volumes holds."""
_NODES_FOR = 2.0
"""Seconds for which a look at all nodes holds; one that is silent takes as long to be asked."""


@dataclass(slots=True)
class _Look:
    """The last one, and one at a time."""

    at: float = float("-inf")
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_good(self, seconds: float) -> bool:
        return time.monotonic() - self.at <= seconds


class CourseHomes:
    """Homes as the hub records them; see `transport.Homes`."""

    def __init__(self, course: Course, store: PeopleStore, engine: Engine, image: str, roll: Roll) -> None:
        self._course = course
        self._store = store
        self._engine = engine
        self._cluster: Cluster | None = engine if isinstance(engine, Cluster) else None
        self._image = image
        self._roll = roll
        self._shared = Store(course, engine, image, is_cluster=self._cluster is not None)
        self._volumes: Mapping[str, frozenset[str]] = {}
        self._nodes: dict[str, NodeState] = {}
        self._volumes_look, self._nodes_look = _Look(), _Look()

    async def find(self, user: str) -> Home | None:
        """The home; None of somebody who has none.

        Raises CourseBusy while it is being moved, or its node does not answer; HomeMissing, EngineUnavailable.
        """
        try:
            refuse_while_moving(self._store, user)
        except HomeMissing as error:
            raise _wait(error) from error
        if self._store.has_home(user):
            return await self._home(user, self._store.home_node(user))
        if self._course.homes.is_shared:
            return None
        # A volume that no start has recorded yet, as after `firstbell homes import`.
        if nodes := (await self._with_volumes()).get(user):
            return await self._home(user, min(nodes))
        if self._cluster and (missing := unsearched(self._store, await self._all_nodes())):
            raise _wait(perhaps_away(user, missing))
        return None

    async def make(self, user: str) -> Home:
        """The home, made if there is none. Raises as `find`."""
        if (found := await self.find(user)) is not None:
            return found
        node = ""
        if self._course.homes.is_shared:
            await self._make_folder(user)
        else:
            node = await self._make_volume(user)
        home_choice.made(self._store, user, node)
        return await self._home(user, node)

    async def _with_volumes(self) -> Mapping[str, frozenset[str]]:
        look = self._volumes_look
        async with look.turn:
            if not look.is_good(_FOUND_FOR):
                self._volumes = homes_found(await self._engine.observe(self._course.name))
                look.at = time.monotonic()
        return self._volumes

    async def _all_nodes(self) -> tuple[NodeState, ...]:
        look = self._nodes_look
        async with look.turn:
            if not look.is_good(_NODES_FOR):
                self._nodes = {node.name: node for node in (await self._engine.facts()).nodes}
                look.at = time.monotonic()
        return tuple(self._nodes.values())

    async def _home(self, user: str, node: str) -> Home:
        engine = await self._machine(user, node)
        if self._course.homes.nfs:
            await engine.ensure_volume(home_volume(self._course, user))
        uid, gid = self._roll.ids(user)
        extra = marker_mounts(self._course, await self._shared.marker()) if self._course.homes.directory else ()
        as_owner = self._course.homes.nfs is not None
        return Home(user, engine, home_mount(self._course, user), uid, gid, extra, as_owner=as_owner)

    async def _machine(self, user: str, node: str) -> Engine:
        """The daemon by which the home can be had; `node` is empty where any can be asked."""
        if self._cluster is None:
            return self._engine
        nodes = await self._all_nodes()
        name = node or _any_of(nodes, self._course.name)
        found = next((one for one in nodes if one.name == name), None)
        if found is None:
            raise away(user, name, None)
        if not found.linked:
            raise _wait(away(user, name, found))
        return await self._cluster.on(name)

    async def _make_volume(self, user: str) -> str:
        """On a cluster on the node with the fewest homes, as nobody knows who will come; that node."""
        node = ""
        if self._cluster:
            nodes = await self._all_nodes()
            if not any(one.usable for one in nodes):
                raise CourseBusy("no node takes homes now", next_step="See: firstbell nodes list")
            fewest = choose_target(nodes, "", Counter(self._store.home_nodes().values()))
            node = home_choice.choose(self._store, user, fewest)
        await self._engine.ensure_volume(home_volume(self._course, user, node))
        return node

    async def _make_folder(self, user: str) -> None:
        """As a start does, see `starts/starting.py`."""
        node = _any_of(await self._all_nodes(), self._course.name) if self._cluster else ""
        uid, gid = self._roll.ids(user)
        for way in (store_volume(self._course, node), home_volume(self._course, user, node)):
            if way and self._course.homes.nfs:
                await self._engine.ensure_volume(way)
        marker = await self._shared.marker()
        helper = directory_helper(self._course, user, self._image, uid, gid, node=node, marker=marker)
        result = await self._engine.run(helper, deadline=60)
        if result.exit_code and self._course.homes.nfs:
            where = self._course.homes.store
            raise HomeMissing(f"the folder of {user} could not be made in {where}", where=where, evidence=result.lines)


def _any_of(nodes: tuple[NodeState, ...], course: str) -> str:
    """A node that answers, a manager before others."""
    linked = [node for node in nodes if node.linked]
    if not linked:
        raise CourseBusy("no node answers", where=course, next_step="See: firstbell nodes list")
    return min(linked, key=lambda node: (not node.manager, node.name)).name


def _wait(error: HomeMissing) -> CourseBusy:
    """What passes by itself, so that the desk tries again."""
    return CourseBusy(error.what, where=error.where, next_step=error.next_step)
