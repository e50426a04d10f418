"""A manager's part of the HTTP API: services, tasks, nodes, and what it says when the Swarm cannot decide anything."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from firstbell.engine.docker_api import Answer, Api
from firstbell.errors import EngineUnavailable

DEADLINE = 7.0
"""Seconds: a manager that has lost the others must be known for that within ten."""
_LEADERLESS = ("leader", "quorum", "code = deadlineexceeded")
_MOMENT = 2.0
"""Seconds."""
_NO_MANAGER = ("not a swarm manager", "not part of a swarm")
_MISSING = ("not found", "no such")

Json = dict[str, Any]


class SwarmApi:
    """Requests to one manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._leaderless_until = 0.0

    async def json(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None, repeat: bool = True
    ) -> Any:
        """The decoded answer; a lost connection is tried again once, unless `repeat` forbids, an error never.

        Raises Answer for what was refused, EngineUnavailable where nothing is decided now: at once for a moment after
        that was so, since a manager takes seconds for each such answer.
        """
        if time.monotonic() < self._leaderless_until:
            raise _leaderless(path)
        deadline = min(DEADLINE, self._api.deadline * 4)
        until = time.monotonic() + deadline
        try:
            with _decided(path):
                try:
                    return await self._api.json(method, path, params=params, body=body, deadline=deadline, repeat=False)
                except Answer:
                    raise
                except EngineUnavailable as error:
                    if isinstance(error.__cause__, TimeoutError) and method != "GET":
                        raise _undecided(path, deadline) from error
                    left = until - time.monotonic()
                    if not repeat or left < deadline / 2:
                        raise
                return await self._api.json(method, path, params=params, body=body, deadline=left, repeat=False)
        except LeaderLost:
            self._leaderless_until = time.monotonic() + _MOMENT
            raise

    async def found(self, path: str) -> Json | None:
        """What is at `path`, None where there is no such thing."""
        try:
            answer: Json = await self.json("GET", path)
        except Answer as error:
            if is_missing(error):
                return None
            raise
        return answer

    async def listed(self, path: str, **filters: list[str]) -> list[Json]:
        """A list, by the API's filters."""
        params = {"filters": json.dumps(filters)} if filters else {}
        answer: list[Json] = await self.json("GET", path, params=params)
        if not isinstance(answer, list):
            raise TypeError(path)
        return answer

    async def tasks(self, service: str) -> list[Json] | None:
        """The tasks of a service; None where there is no such service."""
        try:
            return await self.listed("tasks", service=[service])
        except Answer as error:
            if is_missing(error):
                return None
            raise

    async def update(self, path: str, change: Any) -> None:
        """Change an object's `Spec` by `change`, again where somebody else changed it meanwhile."""
        for last in (False, False, True):
            found = await self.json("GET", path)
            spec = dict(found["Spec"])
            change(spec)
            try:
                await self.json("POST", f"{path}/update", params={"version": found["Version"]["Index"]}, body=spec)
            except Answer as answer:
                if last or not answer.says("out of sequence"):
                    raise
            else:
                return


def is_missing(answer: Answer) -> bool:
    """Whether the manager says that there is no such thing."""
    return answer.status == 404 and answer.says(*_MISSING)


class LeaderLost(EngineUnavailable):
    """Nothing can be decided: too few managers reach each other."""


def _leaderless(path: str) -> LeaderLost:
    return LeaderLost(
        "the Swarm does not have a leader: too few of its managers reach each other. Running servers go on; "
        "none can be started or stopped until more managers are back",
        where=path,
        next_step="Bring the other managers back; `docker node ls` on a manager shows which are away.",
    )


def _undecided(path: str, deadline: float) -> EngineUnavailable:
    """A manager that has just lost the others answers questions from memory, and no wish at all."""
    return EngineUnavailable(
        f"the Swarm has not decided within {deadline:g} seconds: its manager is very busy, or does not have a leader "
        "since too few managers reach each other. Running servers go on",
        where=path,
        next_step="See `docker node ls` on a manager for those that are away; then try again.",
    )


@contextlib.contextmanager
def _decided(path: str) -> Iterator[None]:
    try:
        yield
    except Answer as answer:
        if answer.says(*_NO_MANAGER):
            raise EngineUnavailable(
                "the Docker Engine is no manager of a Swarm",
                where=path,
                next_step="Name a manager in [engine] host; `docker node ls` there shows which nodes are managers. "
                "For a new Swarm: `docker swarm init`.",
            ) from answer
        if answer.says(*_LEADERLESS):
            raise _leaderless(path) from answer
        raise
