"""Gives homes their hard limit, where their file system can: new ones before their first start, the others beside it.

Nothing here keeps anybody from starting: where a limit cannot be set, the course's quota is told and not enforced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.plan.home_project import AT_ONCE, can_be_limited, limit_helper, look_helper, refusals

LOG = logging.getLogger("firstbell.homes")
FILE = "homes_limited"
"""In the hub's state: that homes have limits, which a course without any has to take back."""
PAUSE = 1.0
"""Seconds between two containers."""
_DEADLINE, _AT_START = 600.0, 20.0
"""Seconds: homes that are there may be large, a new one is empty and somebody waits for it."""
ON_FILE_SERVER = "homes are on a file server, whose own quotas count"


class HomeProjects:
    """Of one hub. `users` are all who have homes."""

    def __init__(
        self, course: Course, engine: Engine, image: str, users: Callable[[], Iterable[str]], state: Path | None = None
    ) -> None:
        self._course, self._engine, self._image, self._users = course, engine, image, users
        self._mark = state / FILE if state else None
        self._unable: dict[str, str] = {}
        self._looked: set[str] = set()

    @property
    def is_wanted(self) -> bool:
        """Whether the course limits homes."""
        return bool(self._course.homes.quota or self._course.homes.files)

    def standing(self) -> dict[str, object]:
        """For figures: whether limits are enforced (None: not known yet), and if not, why."""
        if not self.is_wanted or not (self._looked or self._unable):
            return {"enforced": None, "why": ""}
        return {"enforced": not self._unable, "why": next(iter(self._unable.values()), "")}

    async def limit(self, user: str, node: str = "") -> None:
        """Before somebody's first start. Never raises for what the file system cannot."""
        if self.is_wanted and node not in self._unable:
            await self._limit((user,), node, _AT_START)

    async def keep(self) -> None:
        """Once, as the hub starts: look what can be, and give all homes what the course says now."""
        had_limits = self._mark is not None and self._mark.exists()
        if not (self.is_wanted or had_limits):
            return
        try:
            await self._all()
        except (FirstbellError, OSError, TimeoutError) as error:
            LOG.warning("The homes' limits could not be set: %s", error)

    async def _all(self) -> None:
        if not can_be_limited(self._course):
            self._cannot("", ON_FILE_SERVER)
            return
        for node, users in (await self._places()).items():
            result = await self._engine.run(look_helper(self._course, self._image, node=node), deadline=_DEADLINE)
            self._looked.add(node)
            if refused := refusals(result):
                self._cannot(node, next(iter(refused.values())))
                continue
            for first in range(0, len(users), AT_ONCE):
                await self._limit(users[first : first + AT_ONCE], node)
                await asyncio.sleep(PAUSE)
        if self._mark and not self._unable:
            if self.is_wanted:
                self._mark.touch()
            else:
                self._mark.unlink(missing_ok=True)

    async def _places(self) -> dict[str, list[str]]:
        """Who has a home, by node. Of volumes only those that are there: naming another would make it."""
        if self._course.homes.directory:
            return {"": sorted(self._users())}
        found: dict[str, list[str]] = {}
        observed = await self._engine.observe(self._course.name)
        for volume in observed.volumes:
            if volume.role == Role.HOME.value and volume.user:
                found.setdefault(volume.node, []).append(volume.user)
        return found or {"": []}

    async def _limit(self, users: Iterable[str], node: str, deadline: float = _DEADLINE) -> None:
        try:
            spec = limit_helper(self._course, self._image, users, node=node)
            refused = refusals(await self._engine.run(spec, deadline=deadline))
        except (FirstbellError, OSError, TimeoutError) as error:
            LOG.warning("A home's limit could not be set: %s", error)
            return
        self._looked.add(node)
        for home, why in refused.items():
            LOG.warning("The home %s could not be limited: %s", home, why)

    def _cannot(self, node: str, why: str) -> None:
        if node not in self._unable:
            on = f" on {node}" if node else ""
            LOG.warning("What homes may hold is told and not enforced%s: %s", on, why)
        self._unable[node] = why
