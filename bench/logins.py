"""What a login to a running server costs the hub, beside plain JupyterHub with a spawner that does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import mean, median

import aiohttp

from bench import machine
from bench.engine import Engine
from bench.figures import Figure, Goal, at_most, part
from bench.login import sides
from bench.login.sides import Side
from bench.login.visitor import Visitor
from bench.options import Options
from bench.record import Record

_ROUNDS, _ROUNDS_QUICK = 7, 3
_PEOPLE = 60
_BESIDE = "plain JupyterHub, logins alone"


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of login that is measured."""

    name: str
    side: Side
    people: tuple[Visitor, ...]
    known: bool
    """Whether the browser shows its seat's cookie from the first request on."""


@dataclass(frozen=True, slots=True)
class Round:
    """One login of everybody, one after the other, and then all at once."""

    way: str
    round: int
    people: int
    requests: float
    """Of the browser, until its page is there."""
    hub_ms: float
    """CPU of the hub's event loop per login."""
    threads_ms: float
    """CPU of the hub's other threads per login: password hashing."""
    around_ms: float
    """CPU of proxy and edge per login."""
    at_once_p50: float
    at_once_max: float


def run(engine: Engine, options: Options) -> Record:
    """All ways take turns."""
    rounds: list[Round] = []
    hops: dict[str, list[str]] = {}
    count = options.crowd(_PEOPLE)
    with ExitStack() as stack:
        ways = _ways(stack, count)
        for way in ways:
            asyncio.run(_settle(way))
        for number in range(1, options.count(_ROUNDS, _ROUNDS_QUICK) + 1):
            for way in ways:
                measured, hops[way.name] = asyncio.run(_round(way, number))
                rounds.append(measured)
                _say(measured)
    return Record(
        name="logins",
        figures=figures(rounds),
        rows=[asdict(measured) for measured in rounds],
        said=f"{count} people whose servers run log in one after the other and then all at once, "
        f"{max(measured.round for measured in rounds)} times. Servers of both sides are one process that does nothing "
        "but the login. The peer's dummy login checks no password.",
        machine=machine.facts(engine),
        beside=_BESIDE,
        details={"requests_of_a_login": hops},
    )


def figures(rounds: Sequence[Round]) -> tuple[Figure, ...]:
    """The rounds as a table."""

    def values(way: str, column: str, scale: float = 1.0) -> tuple[float, ...]:
        return tuple(float(getattr(measured, column)) * scale for measured in rounds if measured.way == way)

    def line(title: str, way: str, column: str, unit: str = "ms", goal: Goal | None = None) -> Figure:
        return Figure(title, values(way, column), values("peer", column), unit, goal)

    return (
        line("Hub CPU per login to a warm server, somebody new", "new", "hub_ms", goal=part(1 / 2)),
        line("  a browser that was there before", "known", "hub_ms", goal=part(1 / 2)),
        line("  name and password", "class", "hub_ms", goal=part(1 / 2)),
        Figure("  password hash (argon2id), on other threads", values("class", "threads_ms"), (), "ms"),
        Figure("Hub CPU per login, absolute", values("new", "hub_ms"), (), "ms", at_most(20)),
        line("CPU of proxy and edge per login", "new", "around_ms"),
        line("Requests of the browser until its page", "new", "requests", ""),
        line("All at once, p50", "new", "at_once_p50", "s", part(1 / 3)),
        line("All at once, the last", "new", "at_once_max", "s"),
    )


def _ways(stack: ExitStack, count: int) -> list[Way]:
    seminar = stack.enter_context(sides.ours({"login": "seminar", "capacity": 10 * count}))
    names = [f"person-{number}" for number in range(count)]
    roster = stack.enter_context(sides.ours({"login": "roster", "capacity": 10 * count}, roster=names))
    peer = stack.enter_context(sides.peer())

    def named(side: Side) -> tuple[Visitor, ...]:
        return tuple(Visitor(side.url, {"username": name, "password": sides.PASSWORD}) for name in names)

    seats = tuple(Visitor(seminar.url) for _ in names)
    return [
        Way("new", seminar, seats, known=False),
        Way("known", seminar, seats, known=True),
        Way("class", roster, named(roster), known=True),
        Way("peer", peer, named(peer), known=True),
    ]


async def _settle(way: Way) -> None:
    """Everybody comes once, so that their servers run, and once more, so that nothing is done for the first time."""
    async with _browsers() as http:
        for _ in range(2):
            for visitor in way.people:
                await visitor.come(http, known=way.known or not visitor.kept)


async def _round(way: Way, number: int) -> tuple[Round, list[str]]:
    async with _browsers() as http:
        before = way.side.cpu()
        arrivals = [await visitor.come(http, known=way.known) for visitor in way.people]
        after = way.side.cpu()
        began = time.monotonic()

        async def one(visitor: Visitor) -> float:
            await visitor.come(http, known=way.known)
            return time.monotonic() - began

        waits = await asyncio.gather(*map(one, way.people))
    hub, threads, around = (1000 * (b - a) / len(arrivals) for a, b in zip(before, after, strict=True))
    measured = Round(
        way=way.name,
        round=number,
        people=len(arrivals),
        requests=mean(len(arrival) for arrival in arrivals),
        hub_ms=hub,
        threads_ms=threads,
        around_ms=around,
        at_once_p50=median(waits),
        at_once_max=max(waits),
    )
    return measured, list(arrivals[-1])


def _browsers() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))


def _say(measured: Round) -> None:
    print(
        f"{measured.round:3d} {measured.way:6} hub {measured.hub_ms:5.1f} ms a login (+ {measured.threads_ms:.1f} in "
        f"threads, {measured.around_ms:.1f} around it)   all at once: p50 {measured.at_once_p50:.2f} s",
        flush=True,
    )
