"""People at work: each in a server of their own, a short cell every few seconds, and how long each of them waited.

`python -m bench.at_work` is their browsers, in a process apart so that whoever measures is not what is measured. It
reads what to do as a line of JSON, says as lines of JSON who has come, each cell and at last how busy it was, and ends
when its stdin does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from bench.engine import wait_until
from bench.side import ROOT
from firstbell.rehearsal.browser import Browser, Unexpected
from firstbell.rehearsal.channel import Channel
from firstbell.rehearsal.connection import ConnectionLost
from firstbell.rehearsal.cookies import Cookies
from firstbell.rehearsal.load import Load, LoadMeter
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script
from firstbell.rehearsal.visitor import Visitor

CELL = """\
total = sum(n * n % 7 for n in range(100_000))
with open("results.csv", "w") as file:
    file.writelines(f"{n},{n * n}\\n" for n in range(2000))
print(total, len(open("results.csv").read()))
"""
"""Some hundredths of a second of CPU, and a small file in the home that is written and read again."""
_COME_AT_ONCE = 3
_PATIENCE = 60.0
"""Seconds for a cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One that was run: when it was sent (Unix seconds), and the seconds until its result was there."""

    person: int
    at: float
    seconds: float


class PeopleAtWork:
    """Inside the block they work; `cells` grows."""

    def __init__(self, url: str, people: Sequence[Person], every: float) -> None:
        """`every`: seconds between two cells of a person; all of them are spread evenly over that time."""
        self._order = {"url": url, "people": [asdict(person) for person in people], "every": every}
        self._count = len(people)
        self._there = 0
        self.cells: list[Cell] = []
        self.failures: list[str] = []
        self.load = Load()

    def __enter__(self) -> Self:
        """Returns once everybody is there. Raises RuntimeError where somebody does not get in."""
        command = [sys.executable, "-m", "bench.at_work"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stdin
        self._process.stdin.write(json.dumps(self._order).encode() + b"\n")
        self._process.stdin.flush()
        wait_until(lambda: self._there == self._count or bool(self.failures), "everybody to be at work", deadline=300)
        if self.failures:
            self._end()
            raise RuntimeError(f"not at work: {self.failures}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        del kind, error, at
        self._end()

    def _end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            said: dict[str, Any] = json.loads(line)
            if "there" in said:
                self._there += 1
            elif "cell" in said:
                self.cells.append(Cell(**said["cell"]))
            elif "failed" in said:
                self.failures.append(said["failed"])
            else:
                self.load = Load(**said["load"])


async def _work(order: Mapping[str, Any]) -> None:
    """Until stdin ends."""
    over, meter, loop = asyncio.Event(), LoadMeter(), asyncio.get_running_loop()
    threading.Thread(target=_wait_for_end, args=(loop, over), daemon=True).start()
    watch = asyncio.create_task(meter.watch())
    people = [Person(**person) for person in order["people"]]
    gate, all_there = asyncio.Semaphore(_COME_AT_ONCE), asyncio.Barrier(len(people))
    working = [
        asyncio.create_task(_one(order, person, place / len(people), gate, all_there))
        for place, person in enumerate(people)
    ]
    await over.wait()
    for task in (watch, *working):
        task.cancel()
    await asyncio.gather(watch, *working, return_exceptions=True)
    _say({"load": asdict(meter.load())})


async def _one(
    order: Mapping[str, Any], person: Person, part: float, gate: asyncio.Semaphore, all_there: asyncio.Barrier
) -> None:
    cookies, every = Cookies(), float(order["every"])
    try:
        async with gate:
            channel = await _come(order["url"], person, cookies)
        _say({"there": person.number})
        await all_there.wait()
        turn = time.monotonic() + every * part
        while True:
            await asyncio.sleep(max(0.0, turn - time.monotonic()))
            # Who waited past their next turn goes on with the one after it.
            turn += every * max(1, -(-(time.monotonic() - turn) // every))
            await _run_cell(channel, person)
    except (Unexpected, ConnectionLost, OSError) as error:
        _say({"failed": f"person {person.number}: {type(error).__name__} {error}"})


async def _come(url: str, person: Person, cookies: Cookies) -> Channel:
    """To their server, with a notebook's kernel. Raises Unexpected, ConnectionLost, TimeoutError."""
    script = Script(url, cells=(CELL,), files=False, calls=False, deadline=120)
    visit = await Visitor(script, person, PageFiles(), cookies=cookies).visit()
    if not visit.is_well:
        raise Unexpected(f"{visit.failed_at} not reached: {visit.cause} {visit.detail}")
    # The notebook's session runs on, as with a browser that is closed and opened again.
    server = f"{url.rstrip('/')}/user/{visit.user}/"
    browser = Browser(server, cookies)
    answer = await browser.ask("GET", f"{server}api/sessions", {"Accept": "*/*", "Referer": f"{server}lab"})
    kernel = json.loads(answer.text)[0]["kernel"]["id"]
    channel = await Channel.open(browser, f"{server}api/kernels/{kernel}/channels", uuid.uuid4().hex)
    await channel.greet()
    return channel


async def _run_cell(channel: Channel, person: Person) -> None:
    at, began = time.time(), time.perf_counter()
    async with asyncio.timeout(_PATIENCE):
        outcome = await channel.run(CELL)
    if outcome.error:
        raise Unexpected(outcome.error)
    _say({"cell": asdict(Cell(person.number, round(at, 3), round(time.perf_counter() - began, 5)))})


def _wait_for_end(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(over.set)


def _say(what: Mapping[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(_work(json.loads(sys.stdin.buffer.readline())))
