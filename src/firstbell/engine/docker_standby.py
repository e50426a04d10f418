"""Containers of a Docker Engine that were started before it is known what they are told; see `Engine.prepare`.

Each is attached to a connection of ours as long as it waits: when that ends, by our end or the daemon's, its standard
input ends, and so does its program. So none of them outlives whoever could use it.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace

import aiohttp
from aiodocker.stream import Stream

from firstbell.engine.base import Stage
from firstbell.engine.docker_api import Api
from firstbell.engine.docker_containers import created, discard, join, make_way, put, state
from firstbell.errors import EngineUnavailable
from firstbell.model.container import ContainerSpec
from firstbell.model.observed import ContainerState, Phase

LOG = logging.getLogger("firstbell.standby")

_BROKEN = (EngineUnavailable, aiohttp.ClientError, OSError, RuntimeError, AssertionError)
"""What writing to a connection raises that has ended."""


@dataclass(frozen=True, slots=True)
class _Standby:
    identity: str
    specification: str
    """Hash of what it was made from."""
    stream: Stream
    held: contextlib.AsyncExitStack


class Standbys:
    """Those of one engine object. The caller sees to it that each verb runs once at a time per name."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: dict[str, _Standby] = {}
        self._taken: dict[str, tuple[str, str]] = {}
        """What became of the last one of each name: container, hash of the whole specification."""

    async def close(self) -> None:
        """Let all of them end."""
        while self._waiting:
            _, standby = self._waiting.popitem()
            await standby.held.aclose()

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        """See Engine.prepare."""
        api, waiting = self._api, replace(spec.prepared, name=name)
        if (old := self._waiting.pop(spec.name, None)) is not None:
            await self._drop(old)
        await make_way(api, waiting, await state(api, name))
        async with contextlib.AsyncExitStack() as held:
            identity = await held.enter_async_context(created(api, waiting, with_stdin=True))
            await put(api, identity, waiting.files)
            stream = await held.enter_async_context(
                api.hijack(f"containers/{identity}/attach", {"stream": 1, "stdin": 1})
            )
            await api.json("POST", f"containers/{identity}/start")
            if waiting.joins_late:
                await join(api, identity, waiting.network)
            self._waiting[spec.name] = _Standby(identity, spec.prepared.spec_hash, stream, held.pop_all())
        return True

    async def take(self, spec: ContainerSpec, stage: Stage) -> ContainerState | None:
        """The container of that name, told what it waited for; None where none is to be had, whatever the reason."""
        if (same := await self._same(spec)) is not None:
            return same
        standby = self._waiting.pop(spec.name, None)
        if standby is None:
            return None
        try:
            if standby.specification == spec.prepared.spec_hash and await self._tell(standby, spec, stage):
                self._taken[spec.name] = (standby.identity, spec.spec_hash)
                await standby.held.aclose()
                return await state(self._api, spec.name)
        except _BROKEN as error:
            LOG.warning("The container prepared for %s cannot be used, another is made: %s", spec.name, error)
        except BaseException:
            await self._drop(standby)
            raise
        await self._drop(standby)
        return None

    async def _same(self, spec: ContainerSpec) -> ContainerState | None:
        """What an earlier take has made, where that runs. Its label tells of what it was prepared as."""
        if self._waiting.get(spec.name) or self._taken.get(spec.name, ("", ""))[1] != spec.spec_hash:
            return None
        found = await state(self._api, spec.name)
        return found if found.phase is Phase.RUNNING and found.id == self._taken[spec.name][0] else None

    async def _tell(self, standby: _Standby, spec: ContainerSpec, stage: Stage) -> bool:
        if (await state(self._api, standby.identity)).phase is not Phase.RUNNING:
            return False
        stage("start")
        for file in spec.files:
            if file.late:
                await standby.stream.write_in((file.content or b"") + b"\n")
        await self._api.json("POST", f"containers/{standby.identity}/rename", params={"name": spec.name})
        return True

    async def _drop(self, standby: _Standby) -> None:
        with contextlib.suppress(*_BROKEN):
            await standby.held.aclose()
        await discard(self._api, standby.identity)
