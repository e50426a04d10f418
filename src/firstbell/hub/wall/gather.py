"""What the hub knows of everybody at one moment: its own memory, the roster, and one query. No call to the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jupyterhub import orm

from firstbell.hub.context import HubContext
from firstbell.hub.wall.rows import Facts
from firstbell.model.roster import Person, PersonRole, Roster
from firstbell.plan.home_quota import home_stand

_LONGEST_WORDS = 200
_NOBODY = Person("")


class Gatherer:
    """`app` is JupyterHub; `people` is the roster by user name, empty where there is none."""

    def __init__(self, app: Any, context: HubContext, people: Callable[[], Mapping[str, Person]]) -> None:
        self._app = app
        self._context = context
        self._people = people
        self._stopping: dict[str, float] = {}

    def __call__(self) -> Iterator[Facts]:
        """Everybody of the hub and of the roster, and the course's staff."""
        people, prepared = self._people(), self._context.bells.waiting()
        servers = {user.name: spawner for user in dict.values(self._app.users) for spawner in user.spawners.values()}
        seen: dict[str, datetime | None] = dict(self._app.db.query(orm.User.name, orm.User.last_activity).all())
        self._note_stopping(servers)
        for name in seen.keys() | people.keys():
            person = people.get(name, _NOBODY)
            yield self._facts(name, person, servers.get(name), seen.get(name), is_prepared=name in prepared)

    def _facts(self, name: str, person: Person, spawner: Any, seen: datetime | None, *, is_prepared: bool) -> Facts:
        is_owner = name in self._context.course.access.staff
        known: dict[str, Any] = {
            "username": name,
            "name": person.name,
            "section": person.section,
            "role": PersonRole.INSTRUCTOR if is_owner else person.role,
            "home": self._home(name),
            "seen": seen.replace(tzinfo=UTC).timestamp() if seen else None,
        }
        return Facts(**known, **self._of_server(name, spawner, is_prepared=is_prepared)) if spawner else Facts(**known)

    def _home(self, name: str) -> str:
        use = self._context.home_uses.of(name)
        return home_stand(use, self._context.course.homes).staff if use else ""

    def _of_server(self, name: str, spawner: Any, *, is_prepared: bool) -> dict[str, Any]:
        pending = spawner.pending or ""
        if pending == "spawn":
            stage = spawner.stage()
            return {
                "pending": "spawn",
                "place": stage.get("place", 0),
                "doing": stage.get("doing", ""),
                "still": spawner.stood_still(),
            }
        if pending == "stop":
            return {"pending": "stop", "still": time.monotonic() - self._stopping[name]}
        if pending or spawner.ready:  # a server that is being found again after the hub's start runs
            cluster = self._context.cluster
            away = spawner.node if cluster and cluster.nodes.is_away(spawner.node) else ""
            memory = self._context.machine.use_of(spawner.containers[-1])
            notebook = self._context.notebooks.of(name)
            return {
                "runs": True,
                "is_prepared": is_prepared,
                "memory": memory,
                "limit": spawner.memory,
                "away": away,
                "notebook": notebook,
                "times_full": self._context.fulls.count(name),
            }
        return {"failure": failure_words(spawner)}

    def _note_stopping(self, servers: Mapping[str, Any]) -> None:
        """Since when each has been seen to stop: JupyterHub itself does not remember it."""
        now = time.monotonic()
        self._stopping = {
            name: self._stopping.get(name, now) for name, spawner in servers.items() if spawner.pending == "stop"
        }


def failure_words(spawner: Any) -> str:
    """Why its last start failed, or the server ended, in a line; empty where neither is so."""
    error = spawner._failed  # noqa: SLF001 - where JupyterHub's own pages look
    if not error:
        return ""
    text = getattr(error, "jupyterhub_message", "") or getattr(error, "reason", "") or str(error) or "it did not start"
    return str(text).strip().partition("\n")[0][:_LONGEST_WORDS]


class ByName:
    """The roster by user name, made anew only when the file has changed. `current` is a RosterFile's."""

    def __init__(self, current: Callable[[], Roster]) -> None:
        self._current = current
        self._roster: Roster | None = None
        self._people: dict[str, Person] = {}

    def __call__(self) -> Mapping[str, Person]:
        """Everybody on it."""
        roster = self._current()
        if roster is not self._roster:
            self._roster, self._people = roster, {person.username: person for person in roster.people}
        return self._people
