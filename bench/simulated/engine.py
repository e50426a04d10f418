"""An engine whose servers are all in one process (`servers.py`): starting one is a request to it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import replace

from tornado.httpclient import AsyncHTTPClient

from firstbell.engine.base import Stage, ignore
from firstbell.engine.docker_config import labels
from firstbell.engine.fake import FakeEngine
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.observed import ContainerState, Event, ImageState, Observed, Phase
from firstbell.model.runtime import SERVER_FILE

IMAGE = "simulated"
ADDRESS_VARIABLE = "BENCH_SERVERS"
"""Where the process of all servers listens."""


class SimulatedEngine(FakeEngine):
    """As the one in memory for all else; of its containers it keeps no more than what the hub asks about.

    It must cost the hub's process little, and the same for the first server and the four-hundredth.
    """

    def __init__(self) -> None:
        super().__init__()
        self._where = os.environ[ADDRESS_VARIABLE]
        self._http = AsyncHTTPClient(force_instance=True, max_clients=100)
        self._states: dict[str, ContainerState] = {}
        self._heard: asyncio.Queue[Event] = asyncio.Queue()
        self.images[IMAGE] = ImageState(IMAGE, "sha256:0")

    async def _enter(self, verb: str, about: str = "") -> None:
        """Nothing is noted: a list of all calls would look like a leak."""

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        for name in ("create", "files", "start"):
            stage(name)
        told = next(file.content for file in spec.files if file.path == SERVER_FILE) or b""
        state = ContainerState(
            name=spec.name,
            phase=Phase.RUNNING,
            id=spec.name,
            image=spec.image,
            labels=frozen(labels(spec)),
            address=self._where,
        )
        self._states[spec.name] = state
        await self._tell("PUT", spec.name, told)
        return state

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        del name, spec
        return False

    async def stop(self, name: str, grace: int = 10) -> None:
        del grace
        if state := self._states.pop(name, None):
            await self._tell("DELETE", name)
            self._heard.put_nowait(Event(name, "die", state.labels, 0))

    async def state(self, name: str) -> ContainerState:
        return self._states.get(name) or ContainerState(name, Phase.MISSING)

    async def observe(self, course: str = "") -> Observed:
        return replace(await super().observe(course), containers=tuple(self._states.values()))

    async def events(self, course: str) -> AsyncGenerator[Event, None]:
        del course
        while True:
            yield await self._heard.get()

    async def _tell(self, method: str, name: str, told: bytes = b"") -> None:
        body = json.dumps({"name": name, "settings": json.loads(told)}) if told else None
        await self._http.fetch(f"http://{self._where}:8888/-/{name}", method=method, body=body)


async def connect(kind: str, host: str = "") -> SimulatedEngine:
    """In place of `firstbell.engine.connect`."""
    del kind, host
    return SimulatedEngine()
