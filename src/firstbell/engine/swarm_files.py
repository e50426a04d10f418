"""Files of services: configs and secrets by the hash of their content, shared by all services of a course."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from firstbell.engine import swarm_config
from firstbell.engine.docker_api import Answer, understood
from firstbell.engine.swarm_api import SwarmApi, is_missing
from firstbell.engine.swarm_config import LABEL_FILES
from firstbell.engine.waiting import together
from firstbell.errors import StartFailed
from firstbell.model.container import File

_READABLE_BY_ALL = 0o004
_LIMIT = 500 * 1024
"""Bytes of a config or secret; swarmkit, manager/controlapi."""
_AT_ONCE = 8
_KINDS = {"configs": "Config", "secrets": "Secret"}


class FileStore:
    """The configs and secrets of one Swarm, with what this process knows of them."""

    def __init__(self, api: SwarmApi) -> None:
        self._api = api
        self._ids: dict[tuple[str, str], str] = {}
        self._bound = asyncio.Semaphore(_AT_ONCE)

    def forget(self) -> None:
        """Somebody has removed some: ask again for all."""
        self._ids.clear()

    async def references(self, course: str, files: Iterable[File]) -> dict[str, list[dict[str, Any]]]:
        """What a service names, made where it is missing. Raises StartFailed for a file that is too large."""
        found: dict[str, list[dict[str, Any]]] = {"Configs": [], "Secrets": []}
        wanted = tuple(files)
        for file, reference in zip(
            wanted, await together(*(self._reference(course, file) for file in wanted)), strict=True
        ):
            found["Configs" if is_public(file) else "Secrets"].append(reference)
        return found

    async def _reference(self, course: str, file: File) -> dict[str, Any]:
        kind = "configs" if is_public(file) else "secrets"
        content = file.content or b"\n"  # neither can be empty
        if len(content) >= _LIMIT:
            raise StartFailed(
                f"{file.path} has {len(content) // 1024} KB; on a Swarm a file put into a server has at most 499",
                where=file.path,
                next_step="Make it smaller, or put it into the image.",
            )
        name = swarm_config.file_name(course, content)
        async with self._bound:
            identity = self._ids.get((kind, name)) or await self._ensure(kind, name, course, content)
        self._ids[kind, name] = identity
        word = _KINDS[kind]
        return {
            f"{word}ID": identity,
            f"{word}Name": name,
            "File": {"Name": file.path, "UID": str(file.uid), "GID": str(file.gid), "Mode": file.mode},
        }

    async def _ensure(self, kind: str, name: str, course: str, content: bytes) -> str:
        body = {"Name": name, "Labels": {LABEL_FILES: course}, "Data": base64.b64encode(content).decode()}
        with understood(name):
            for last in (False, False, True):
                try:
                    return str((await self._api.json("POST", f"{kind}/create", body=body))["ID"])
                except Answer as answer:
                    if last or not answer.says("already exists"):
                        raise
                found = await self._api.found(f"{kind}/{name}")
                if found is not None:  # else it was swept away in between
                    return str(found["ID"])
        raise AssertionError  # the last round returns or raises

    async def sweep(self, course: str, older_than: float) -> int:
        """Remove those of a course ("" of all) that no service names, if they are older than that many seconds."""
        label = [f"{LABEL_FILES}={course}" if course else LABEL_FILES]
        services = await self._api.listed("services")
        removed = 0
        for kind, word in _KINDS.items():
            with understood(kind):
                used = {
                    reference[f"{word}ID"]
                    for service in services
                    for reference in service["Spec"]["TaskTemplate"]["ContainerSpec"].get(f"{word}s") or ()
                }
                entries = await self._api.listed(kind, label=label)
                old = [e for e in entries if e["ID"] not in used and _age(e["CreatedAt"]) >= older_than]
            for entry in old:
                removed += await self._remove(kind, entry)
        return removed

    async def _remove(self, kind: str, entry: dict[str, Any]) -> bool:
        self._ids.pop((kind, entry["Spec"]["Name"]), None)
        try:
            await self._api.json("DELETE", f"{kind}/{entry['ID']}")
        except Answer as answer:
            # Named by a service that began meanwhile, or removed by somebody else.
            if not is_missing(answer) and not answer.says("in use"):
                raise
            return False
        return True


def is_public(file: File) -> bool:
    """Whether everybody in the container may read it; what they may not is kept as a secret."""
    return bool(file.mode & _READABLE_BY_ALL)


def _age(created: str) -> float:
    """Seconds since a time of the API (RFC 3339, nanoseconds)."""
    with contextlib.suppress(ValueError):
        return time.time() - datetime.fromisoformat(created).timestamp()
    return 0.0
