"""JupyterLab's page in Chromium, with an empty cache and with a full one: bytes over the wire, requests, CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench import machine, our_side, peer_side
from bench.engine import Engine
from bench.figures import Figure, Goal, at_most, part
from bench.measure import wait_for_quiet, wait_until_settled
from bench.options import Options
from bench.person import OnePerson
from bench.record import Record
from bench.side import Side
from tests.support.chromium import ARGUMENTS, CHROMIUM

_RUNS, _RUNS_QUICK = 3, 1
_KB = 1e3
_QUIET = 2.0
"""Seconds without a request after which the page is taken to be complete; Lab's own polls come every ten."""
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One visit of the page."""

    side: str
    run: int
    visit: int
    """1 with an empty cache, 2 with what the first has left in it."""
    requests: int
    """That went over the wire."""
    from_cache: int
    received: int
    """Bytes of bodies as they came, compressed, and of heads."""
    server_cpu: float
    """Of the person's server until the page was complete."""
    service_cpu: float
    """Of hub and proxies."""
    seconds: float
    """Until Lab's main area was drawn: Chromium takes its part of the machine."""
    busy_before: float


class Wire:
    """What goes over the wire for a page, as Chromium's network layer counts it."""

    def __init__(self, page: Page) -> None:
        self.requests = 0
        self.from_cache = 0
        self.received = 0
        self.last = time.monotonic()
        self._cached: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.requestServedFromCache", lambda said: self._cached.add(said["requestId"]))
        session.on("Network.responseReceived", self._answered)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    def _sent(self, said: dict[str, Any]) -> None:
        self.last = time.monotonic()
        if said["request"]["url"].startswith("data:"):
            self._cached.add(said["requestId"])
        if redirect := said.get("redirectResponse"):
            self.requests += 1
            self.received += int(redirect["encodedDataLength"])

    def _answered(self, said: dict[str, Any]) -> None:
        response = said["response"]
        if response.get("fromDiskCache") or response.get("fromPrefetchCache"):
            self._cached.add(said["requestId"])

    def _finished(self, said: dict[str, Any]) -> None:
        self.last = time.monotonic()
        if said["requestId"] in self._cached:
            self.from_cache += 1
            return
        self.requests += 1
        self.received += int(said["encodedDataLength"])


def run(engine: Engine, options: Options) -> Record:
    """The sides take turns, a new person with a new browser profile each time."""
    runs = options.count(_RUNS, _RUNS_QUICK)
    shown: list[Shown] = []
    with ExitStack() as stack:
        ours = stack.enter_context(our_side.running(engine, our_side.NO_KERNELS))
        sides: list[Side] = [ours, stack.enter_context(peer_side.running(engine, ours.image()))]
        playwright = stack.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        stack.callback(chromium.close)
        for number in range(runs + 1):
            for side in sides:
                found = _visit(engine, side, chromium, number)
                # The first of each warms Chromium and the page cache.
                shown += found if number else []
    return Record(
        name="first-page",
        figures=figures(shown),
        rows=[asdict(one) for one in shown],
        said=f"{runs} new people on each side, in turn, in Chromium {chromium.version}; their servers ran.",
        machine=machine.facts(engine),
    )


def figures(shown: Sequence[Shown]) -> tuple[Figure, ...]:
    """The table."""

    def line(visit: int, title: str, column: str, unit: str = "s", goal: Goal | None = None) -> Figure:
        scale = _KB if unit == "kB" else 1.0
        sides = [
            tuple(getattr(one, column) / scale for one in shown if one.side == name and one.visit == visit)
            for name in ("firstbell", "peer")
        ]
        return Figure(title, sides[0], sides[1], unit, goal)

    return (
        line(1, "First visit: over the wire", "received", "kB", at_most(1600)),
        line(1, "  requests", "requests", ""),
        line(1, "  CPU of the person's server", "server_cpu", goal=part(0.4)),
        line(1, "  CPU of hub and proxies", "service_cpu"),
        line(1, "  until Lab is drawn", "seconds"),
        line(2, "Second visit: over the wire", "received", "kB", at_most(50)),
        line(2, "  requests", "requests", ""),
        line(2, "  CPU of the person's server", "server_cpu"),
        line(2, "  CPU of hub and proxies", "service_cpu"),
        line(2, "  until Lab is drawn", "seconds"),
    )


def _visit(engine: Engine, side: Side, chromium: Browser, number: int) -> list[Shown]:
    """A person's first and second visit; their server was started by another client, which has seen the page only."""
    person = OnePerson(side, number)
    person.come(calls=False)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    host = side.url.split("//")[1].split(":")[0].rstrip("/")
    context.add_cookies(
        [{"name": n, "value": v, "domain": host, "path": p} for n, p, v in person.cookies.everything() if v]
    )
    found = []
    for visit in (1, 2):
        wait_until_settled(engine, side.server())
        page = context.new_page()
        found.append(_show(engine, person, page, number, visit))
        page.close()
        print(f"  {found[-1]}", flush=True)
    context.close()
    person.leave()
    return found


def _show(engine: Engine, person: OnePerson, page: Page, number: int, visit: int) -> Shown:
    busy = wait_for_quiet()
    side = person.side
    server = side.server()
    server_cpu, service_cpu = engine.usage(server).cpu, side.service_cpu()
    wire, began = Wire(page), time.monotonic()
    page.goto(person.lab, timeout=_PATIENCE * 1000)
    page.locator("#jp-main-dock-panel").wait_for(timeout=_PATIENCE * 1000)
    seconds = time.monotonic() - began
    while time.monotonic() - wire.last < _QUIET and time.monotonic() - began < _PATIENCE:
        page.wait_for_timeout(100)
    return Shown(
        side=side.name,
        run=number,
        visit=visit,
        requests=wire.requests,
        from_cache=wire.from_cache,
        received=wire.received,
        server_cpu=round(engine.usage(server).cpu - server_cpu, 3),
        service_cpu=round(side.service_cpu() - service_cpu, 3),
        seconds=round(seconds, 2),
        busy_before=round(busy, 2),
    )
