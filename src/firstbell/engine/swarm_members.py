"""Who belongs to a Swarm: joining, leaving, and how its managers stand, by a daemon's HTTP API."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from firstbell.engine import swarm_failure
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.errors import FirstbellError
from firstbell.model.membership import ManagerState, Membership

_DEPTH = 6
"""Parts that an image's name has behind its registry, at most: `ghcr.io/org/team/name` has four."""
_NOT_THERE = 404
"""The registry's own answer; where it cannot be asked the daemon's is 500."""
_JOIN_DEADLINE = 60.0
"""Seconds; the daemon itself goes on in the background after 20."""


class Members:
    """The Swarm's members as one daemon knows them; most verbs need a manager's."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def membership(self) -> Membership:
        """How this daemon's own machine belongs. Raises EngineUnavailable."""
        await self._api.json("GET", "version")  # opens the connection: the next answer takes no longer than it must
        asked = time.time()
        info = await self._api.json("GET", "info")
        with understood("info"):
            return _membership(info, asked, time.time())

    async def managers(self) -> tuple[ManagerState, ...]:
        """Every manager, and whether the others reach it."""
        nodes = await self._api.json("GET", "nodes", params={"filters": '{"role":["manager"]}'})
        with understood("nodes"):
            return tuple(_manager(node) for node in nodes)

    async def worker_token(self) -> str:
        """What a machine joins the Swarm with. A secret."""
        swarm = await self._api.json("GET", "swarm")
        with understood("swarm"):
            return str(swarm["JoinTokens"]["Worker"])

    async def begin(self, advertise: str = "") -> None:
        """Begin a Swarm with this daemon's machine as its manager; without an address the daemon chooses its own.

        Raises FirstbellError with the daemon's words.
        """
        body = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": advertise}
        try:
            await self._api.json("POST", "swarm/init", body=body, deadline=_JOIN_DEADLINE, repeat=False)
        except Answer as answer:
            raise FirstbellError(
                "the Swarm could not be begun",
                evidence=(answer.message,),
                next_step="docker swarm init --advertise-addr ADDRESS, with the address at which the other machines "
                "reach this one; then run the command again.",
            ) from answer

    async def registry_images(self, registry: str) -> tuple[str, ...]:
        """Of each image name in that registry the newest that this daemon has, as `NAME@sha256:…`.

        What a registry of before was given, and the one of now was not, is none.
        """
        patterns = {"reference": [f"{registry}/{'/'.join('*' * depth)}" for depth in range(1, _DEPTH + 1)]}
        entries = await self._api.json("GET", "images/json", params={"filters": json.dumps(patterns)})
        with understood("images"):
            dated = [(entry["Created"], digest) for entry in entries for digest in entry.get("RepoDigests") or ()]
        newest = {digest.partition("@")[0]: digest for _, digest in sorted(dated)}
        found = (digest for name, digest in sorted(newest.items()) if name.startswith(f"{registry}/"))
        return tuple([digest for digest in found if await self.in_registry(digest)])

    async def in_registry(self, ref: str) -> bool:
        """Whether a registry has an image: a daemon remembers what it pushed, and no more. True where none answers."""
        try:
            await self._api.json("GET", f"distribution/{ref}/json")
        except Answer as answer:
            return answer.status != _NOT_THERE
        return True

    async def join(self, token: str, managers: tuple[str, ...], advertise: str) -> None:
        """Make this daemon's machine a worker of the Swarm. Raises FirstbellError with the daemon's words."""
        body = {
            "ListenAddr": "0.0.0.0:2377",
            "AdvertiseAddr": advertise,
            "DataPathAddr": advertise,
            "RemoteAddrs": list(managers),
            "JoinToken": token,
        }
        try:
            await self._api.json("POST", "swarm/join", body=body, deadline=_JOIN_DEADLINE, repeat=False)
        except Answer as answer:
            raise swarm_failure.of_join(answer.message, managers) from answer

    async def leave(self, *, force: bool = False) -> None:
        """Take this daemon's machine out of its Swarm; nothing to do if it is in none."""
        try:
            await self._api.json("POST", "swarm/leave", params={"force": int(force)})
        except Answer as answer:
            if not answer.says("not part of a swarm"):
                raise


def _membership(info: Mapping[str, Any], asked: float, answered: float) -> Membership:
    swarm = info["Swarm"]
    clock = _seconds(str(info["SystemTime"]))
    cluster = swarm.get("Cluster") or {}
    encryption = (cluster.get("Spec") or {}).get("EncryptionConfig") or {}
    return Membership(
        state=swarm["LocalNodeState"],
        node_id=swarm.get("NodeID") or "",
        address=swarm.get("NodeAddr") or "",
        is_manager=bool(swarm.get("ControlAvailable")),
        managers=tuple(peer["Addr"] for peer in swarm.get("RemoteManagers") or ()),
        swarm_id=cluster.get("ID") or "",
        is_autolocked=bool(encryption.get("AutoLockManagers")),
        error=swarm.get("Error") or "",
        name=info["Name"],
        version=info["ServerVersion"],
        architecture=info["Architecture"],
        clock=clock,
        skew=clock - (asked + answered) / 2,
    )


def _seconds(stamp: str) -> float:
    """RFC 3339 with nanoseconds, which Python reads to the microsecond."""
    return datetime.fromisoformat(stamp).timestamp()


def _manager(node: Mapping[str, Any]) -> ManagerState:
    status = node.get("ManagerStatus") or {}
    return ManagerState(
        name=node["Description"]["Hostname"],
        address=str(status.get("Addr") or "").rpartition(":")[0],
        is_reachable=status.get("Reachability") == "reachable",
        is_leader=bool(status.get("Leader")),
    )
