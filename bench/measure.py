"""One visit, measured: a new person clicks, sees JupyterLab, leaves it idle, and goes."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, fields

from bench import machine
from bench.browser import Browser
from bench.engine import Engine, Events, wait_until
from bench.side import Side

_QUIET = 0.15
"""Cores that the rest of the machine may keep busy when a visit begins."""
_SETTLED_WINDOW = 10.0
_SETTLED_CPU = 0.10
"""A server is settled when it has used at most 1 % of a core over ten seconds."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit took: seconds of time and of CPU, bytes of memory."""

    side: str
    run: int
    click_to_lab: float
    click_to_api: float
    """Until the calls are answered that Lab makes for its first screen."""
    memory: int
    """Of the settled server: cgroup memory without inactive page cache."""
    resident: int
    anonymous: int
    server_cpu: float
    """Of the server's container until the Lab page was there."""
    service_cpu: float
    """Of hub and proxies from the click until the Lab page was there."""
    settled_cpu: float
    """Of the server's container until it had settled."""
    machine_cpu: float
    """Of everything on the machine from the click until the Lab page was there."""
    busy_before: float
    """Cores that were busy in the second before the click."""
    at_answer: float
    """From the click until …: the form was answered,"""
    at_page: float
    """the spawn page was shown,"""
    at_create: float
    """the container was created,"""
    at_start: float
    """it was started,"""
    at_listening: float
    """its log said that it listens,"""
    at_ready: float
    """the browser was told that it is ready. 0: not seen."""

    @property
    def start_cpu(self) -> float:
        """CPU to start one server: its own, and the hub's and proxies' for it."""
        return self.server_cpu + self.service_cpu


COLUMNS = tuple(field.name for field in fields(Visit))


def visit(engine: Engine, side: Side, run: int) -> tuple[Visit, list[tuple[float, str]]]:
    """One visit from the first page to a stopped server, with its time line in seconds since the click."""
    busy = wait_for_quiet()
    side.before_click()
    events = Events(side.course)
    with Browser(side.url) as browser:
        front = browser.open_front()
        service, everything = side.service_cpu(), machine.cpu()
        lab = browser.click(front, dict(side.fields(run)))
        server = side.server()
        server_cpu, service_cpu = engine.usage(server).cpu, side.service_cpu() - service
        machine_cpu = machine.cpu() - everything
        events.fetch()
        browser.call_apis(lab)
        wait_until_settled(engine, server)
        used, listening = engine.usage(server), engine.listening_at(server)
        resident = engine.resident(server)
        user = browser.user(lab)
        browser.stop_server(lab)
        side.forget(server, user)
    click = browser.at("click") or 0.0

    def since(when: float | None) -> float:
        return round(when - click, 3) if when else 0.0

    answer = next((m.when for m in browser.marks if m.when > click and m.what.startswith("POST")), None)
    measured = Visit(
        side=side.name,
        run=run,
        click_to_lab=since(browser.at("lab")),
        click_to_api=since(browser.at("api")),
        memory=used.memory,
        resident=resident,
        anonymous=used.anonymous,
        server_cpu=round(server_cpu, 3),
        service_cpu=round(service_cpu, 3),
        settled_cpu=round(used.cpu, 3),
        machine_cpu=round(machine_cpu, 3),
        busy_before=round(busy, 2),
        at_answer=since(answer),
        at_page=since(browser.at("spawn page")),
        at_create=since(events.at("create")),
        at_start=since(events.at("start")),
        at_listening=since(listening),
        at_ready=since(browser.at("ready")),
    )
    line = [(m.when, m.what) for m in browser.marks] + [(when, f"container: {what}") for when, what in events.seen]
    line += [(listening, "container: listening")] if listening else []
    return measured, sorted((since(when), what) for when, what in line)


def wait_for_quiet(deadline: float = 60) -> float:
    """Wait until the machine has been quiet for a second, or until the deadline; the cores that were busy."""
    seen = [float(os.cpu_count() or 1)]

    def quiet() -> bool:
        before, start = machine.cpu(), time.monotonic()
        wait_until(lambda: time.monotonic() - start >= 1, "a second to pass", pause=0.2)
        seen.append((machine.cpu() - before) / (time.monotonic() - start))
        return seen[-1] <= _QUIET

    try:
        wait_until(quiet, "a quiet machine", deadline)
    except TimeoutError:
        print(f"  the machine stays busy ({seen[-1]:.1f} cores); going on", flush=True)
    return seen[-1]


def wait_until_settled(engine: Engine, server: str) -> None:
    """Until the container has used at most 1 % of a core over ten seconds. Raises TimeoutError."""
    samples: deque[tuple[float, float]] = deque()

    def settled() -> bool:
        now = time.monotonic()
        samples.append((now, engine.usage(server).cpu))
        while len(samples) > 1 and now - samples[1][0] >= _SETTLED_WINDOW:
            samples.popleft()
        return now - samples[0][0] >= _SETTLED_WINDOW and samples[-1][1] - samples[0][1] <= _SETTLED_CPU

    wait_until(settled, f"{server} to settle", deadline=90, pause=0.5)
