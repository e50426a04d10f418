"""50 to 400 servers, and a day of comings and goings: what hub and proxy need stays flat or linear, nothing leaks.

The servers are simulated (`bench/simulated`), as 400 real ones are more than a machine of the size that a class has.
"""

from __future__ import annotations

import asyncio
import random
import time

from httpx import AsyncClient

from bench import machine
from bench.engine import Engine
from bench.growth_report import Moment, Size, record
from bench.options import Options
from bench.record import Record
from bench.simulated import course
from bench.simulated.course import Simulated
from firstbell.engine.waiting import until
from firstbell.rehearsal.cookies import Cookies
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script
from firstbell.rehearsal.visitor import Visitor

SIZES = (50, 100, 200, 400)
_AT_ONCE = 8
"""People who come or go at the same time."""
_IDLE, _IDLE_QUICK = 60.0, 20.0
"""Seconds for which nobody does anything, so that what the hub does by itself shows: some of it once a minute."""
_VISITS, _VISITS_QUICK = 4000, 1500
_PEOPLE_OF_A_DAY = 120
_SAMPLES = 40
_TABLES = ("users", "spawners", "servers", "api_tokens", "oauth_codes")


class People:
    """Everybody who ever came, with their cookies: whoever comes again is who they were."""

    def __init__(self, simulated: Simulated) -> None:
        self._script = Script(simulated.url, files=False, calls=False, works=False, deadline=120)
        self._files = PageFiles()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.cookies: list[Cookies] = []
        self.names: list[str] = []
        self.present: set[int] = set()

    async def come(self, number: int) -> None:
        """The person opens the course and goes on to their server. Raises RuntimeError if they do not get there."""
        async with self._gate:
            visitor = Visitor(self._script, Person(number), self._files, cookies=self.cookies[number])
            visit = await visitor.visit()
        if not visit.is_well:
            raise RuntimeError(f"person {number} did not get in: {visit.failed_at}: {visit.cause} {visit.detail}")
        self.names[number] = visit.user
        self.present.add(number)

    async def new(self, count: int) -> None:
        """As many people more."""
        first = len(self.names)
        self.cookies += [Cookies() for _ in range(count)]
        self.names += [""] * count
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + count):
                group.create_task(self.come(number))

    async def go(self, number: int, api: AsyncClient) -> None:
        """Their server is stopped."""
        async with self._gate:
            answer = await api.delete(f"/users/{self.names[number]}/server")
            answer.raise_for_status()
            await self._gone(number, api)
        self.present.discard(number)

    async def _gone(self, number: int, api: AsyncClient) -> None:
        async def stopped() -> bool:
            return not (await api.get(f"/users/{self.names[number]}")).json()["servers"]

        await until(stopped, deadline=60, first=0.05, longest=0.5)


def run(engine: Engine, options: Options) -> Record:
    """Grow, then let a day pass."""
    idle = _IDLE_QUICK if options.quick else _IDLE
    visits = options.runs or (_VISITS_QUICK if options.quick else _VISITS)
    sizes = tuple(size for size in SIZES if size <= (options.people or SIZES[-1]))
    with course.running() as simulated:
        grown, day = asyncio.run(_all(simulated, sizes, idle, visits))
    return record(grown, day, _PEOPLE_OF_A_DAY, machine.facts(engine))


async def _all(
    simulated: Simulated, sizes: tuple[int, ...], idle: float, visits: int
) -> tuple[list[Size], list[Moment]]:
    people = People(simulated)
    # The first start loads what later ones use.
    await people.new(1)
    grown: list[Size] = []
    for size in sizes:
        grown.append(await _grow(simulated, people, size, idle, grown[-1].hub_idle if grown else 0.0))
    async with simulated.api() as api:
        return grown, await _day(simulated, people, api, visits)


async def _grow(simulated: Simulated, people: People, size: int, idle: float, idle_before: float) -> Size:
    """As many servers as `size`; `idle_before`: per cent of a core that the hub used with those before."""
    more = size - len(people.names)
    began, before = time.monotonic(), simulated.hub_used()
    await people.new(more)
    seconds, cpu = time.monotonic() - began, simulated.hub_used().cpu - before.cpu
    hub, proxy, began = simulated.hub_used(), simulated.proxy_used(), time.monotonic()
    await asyncio.sleep(idle)
    hub_later, proxy_later, passed = simulated.hub_used(), simulated.proxy_used(), time.monotonic() - began
    idle_cpu = 100 * (hub_later.cpu - hub.cpu) / passed
    meanwhile = seconds * (idle_before + idle_cpu) / 2 / 100
    found = Size(
        servers=size,
        start_seconds=round(seconds / more, 4),
        start_cpu=round((cpu - meanwhile) / more, 4),
        hub_memory=hub_later.memory,
        proxy_memory=proxy_later.memory,
        proxy_heap=await simulated.give_back(),
        hub_idle=round(idle_cpu, 2),
        proxy_idle=round(100 * (proxy_later.cpu - proxy.cpu) / passed, 2),
    )
    print(f"  {found}", flush=True)
    return found


async def _day(simulated: Simulated, people: People, api: AsyncClient, visits: int) -> list[Moment]:
    """The same people come and go, in an order that is the same each time."""
    chance = random.Random(8)
    began, done = time.monotonic(), 0
    moments = []
    for number in sorted(people.present)[_PEOPLE_OF_A_DAY:]:
        await people.go(number, api)
    known = sorted(people.present)
    step = min(max(visits // _SAMPLES, 1), len(known) // 2)
    while done < visits:
        async with asyncio.TaskGroup() as group:
            for number in chance.sample(known, min(step, visits - done)):
                group.create_task(people.go(number, api) if number in people.present else people.come(number))
                done += 1
        heap = await simulated.give_back()
        moments.append(_moment(simulated, done, time.monotonic() - began, heap))
        print(f"  {moments[-1]}", flush=True)
    return moments


def _moment(simulated: Simulated, visits: int, seconds: float, heap: int) -> Moment:
    rows = simulated.rows(*_TABLES)
    return Moment(
        visits=visits,
        seconds=round(seconds, 1),
        hub_memory=simulated.hub_used().anonymous,
        proxy_memory=simulated.proxy_used().anonymous,
        proxy_heap=heap,
        database=simulated.database_bytes(),
        tokens=rows["api_tokens"],
        rows=sum(rows.values()),
    )
