"""How tests make the fake engine misbehave."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from firstbell.errors import EngineUnavailable


class Knobs:
    """`away`: while true every verb raises EngineUnavailable. `calls`: (verb, what it was about), in order."""

    def __init__(self) -> None:
        self.away = False
        self.calls: list[tuple[str, str]] = []
        self._failures: dict[str, deque[BaseException]] = defaultdict(deque)
        self._gates: dict[str, asyncio.Event] = {}

    def fail_next(self, verb: str, error: BaseException) -> None:
        """The verb's next call raises `error`; stages of a start are `start:create`, `start:files`, `start:start`."""
        self._failures[verb].append(error)

    def hold(self, verb: str) -> asyncio.Event:
        """Calls of the verb (or stage) wait until the returned event is set."""
        return self._gates.setdefault(verb, asyncio.Event())

    async def _enter(self, verb: str, about: str = "") -> None:
        self.calls.append((verb, about))
        gate = self._gates.get(verb)
        await (gate.wait() if gate else asyncio.sleep(0))
        if self.away:
            raise EngineUnavailable(
                "the Docker Engine is not available: it is away", next_step="Wait until it is back."
            )
        if self._failures[verb]:
            raise self._failures[verb].popleft()
