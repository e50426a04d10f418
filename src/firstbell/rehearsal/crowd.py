"""Many people at once, from one or several processes, so that the client is not what is measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from firstbell.errors import FirstbellError
from firstbell.rehearsal.load import Load
from firstbell.rehearsal.visit import Person, Script, Visit
from firstbell.rehearsal.visitor import Told

PEOPLE_PER_PROCESS = 110
"""One process drives 220 people within 30 s with half a core; half of them leave room for a slower machine."""
_SETTING_UP = 1.5
"""Seconds for the processes to start before the first person arrives."""
_LINE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CrowdResult:
    """How it went for everybody, and how busy the clients were."""

    visits: tuple[Visit, ...]
    loads: tuple[Load, ...]
    began: float
    """Unix seconds of the first arrival."""

    @property
    def client_was_measured(self) -> bool:
        """Whether some client process was too busy to tell the course's delays from its own."""
        return any(load.is_what_was_measured for load in self.loads)


def arrivals(people: Sequence[Person], within: float) -> list[Person]:
    """The same people, spread evenly over `within` seconds: a crowd's test should be the same each time."""
    gap = within / max(len(people), 1)
    return [replace(person, arrives=round(number * gap, 4)) for number, person in enumerate(people)]


async def drive(
    script: Script,
    people: Sequence[Person],
    *,
    processes: int = 0,
    told: Told = lambda *_: None,
    gone: Callable[[Visit], None] = lambda _: None,
) -> CrowdResult:
    """Send everybody in as they arrive, and wait until all have gone.

    `processes` 0 is as many as the crowd needs. `told` hears of each stage that somebody reached, `gone` of each visit
    that has ended. Cancelled, the processes end with it; they also end should this one be killed.
    Raises FirstbellError if a client process fails.
    """
    count = processes or -(-len(people) // PEOPLE_PER_PROCESS)
    began = time.time() + _SETTING_UP
    parts = [list(people[number::count]) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(script, part, began, told, gone)) for part in parts if part]
    results = [task.result() for task in tasks]
    visits = sorted((visit for found, _ in results for visit in found), key=lambda visit: visit.number)
    return CrowdResult(tuple(visits), tuple(load for _, load in results), began)


async def _one(
    script: Script, people: list[Person], began: float, told: Told, gone: Callable[[Visit], None]
) -> tuple[list[Visit], Load]:
    order = {"script": asdict(script), "people": [asdict(person) for person in people], "began": began}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "firstbell.rehearsal.crowd_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE,
        # Ctrl-C is for the command, which ends its clients itself.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    visits, load = list[Visit](), Load()
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        async for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "stage" in said:
                told(said["number"], said["stage"], said["seconds"])
            elif "visit" in said:
                visits.append(Visit(**said["visit"]))
                gone(visits[-1])
            else:
                load = Load(**said["load"])
        await process.wait()
    finally:
        # Its stdin held open is what keeps it alive: closed here, or by the kernel should this process be killed.
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if len(visits) < len(people):
        raise FirstbellError(
            f"a client process of the rehearsal ended early (exit code {process.returncode})",
            next_step="Run it again, with fewer people if memory is short: firstbell rehearse --people 50",
        )
    return visits, load
