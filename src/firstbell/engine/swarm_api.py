"""A manager's part of the HTTP API: services, tasks, nodes, and what it says when the Swarm cannot decide anything."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from firstbell.engine.docker_api import Answer, Api
from firstbell.errors import EngineUnavailable

DEADLINE = 8.0
"""Seconds: a manager that has lost the others must be known for that within ten."""
_LEADERLESS = ("leader", "quorum", "code = deadlineexceeded")
_NO_MANAGER = ("not a swarm manager", "not part of a swarm")
_MISSING = ("not found", "no such")

Json = dict[str, Any]


class SwarmApi:
    """Requests to one manager."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def json(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None, repeat: bool = True
    ) -> Any:
        """The decoded answer. Raises Answer for what was refused, EngineUnavailable where nothing is decided now."""
        with _decided(path):
            deadline = min(DEADLINE, self._api.deadline * 4)
            return await self._api.json(method, path, params=params, body=body, deadline=deadline, repeat=repeat)

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
            raise EngineUnavailable(
                "the Swarm does not have a leader: too few of its managers reach each other. Running servers go on; "
                "none can be started or stopped until more managers are back",
                where=path,
                next_step="Bring the other managers back; `docker node ls` on a manager shows which are away.",
            ) from answer
        raise
