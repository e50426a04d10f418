"""`python -m bench.wall [PEOPLE] [RUNNING] [WATCHERS]`: by hand, some minutes; no engine is needed.

The hub as it is, on an engine in memory. Its CPU is the process's own time, so that a loaded machine changes little;
times of the browser are best of several. Answers one line of JSON. The engine in memory has addresses for 250 servers.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

from firstbell.engine.waiting import until
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.class_hub import ClassHub, class_hub
from tests.support.local_hub import Browser

SECONDS = 60.0
"""For which each figure of CPU is taken."""
STARTS_DEADLINE = 900.0
TURNS = 7
_PAINTED = """new Promise((done) => new PerformanceObserver((list) => done(list.getEntries()[0].startTime)).observe(
  { type: "paint", buffered: true }))"""


def cpu_seconds(pid: int) -> float:
    """Of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def roster(people: int) -> str:
    """So many students in sections of forty, and an instructor."""
    lines = [f"s{n:03d},Student Number {n:03d},,student,{chr(65 + n // 40)}" for n in range(people)]
    return "grace,Grace Hopper,,instructor,\n" + "\n".join(lines) + "\n"


async def are_known(staff: Browser, people: int) -> bool:
    """Whether all are on the wall: they are as soon as the roster is read."""
    return len(re.findall("data-user=", staff.get("/hub/people").text)) >= people


async def start_all(hub: ClassHub, staff: Browser, count: int) -> None:
    """So many servers run."""
    for number in range(count):
        hub.post(staff, "/hub/people/do", do=f"start:s{number:03d}")

    async def run() -> bool:
        return len(re.findall(r'<li class="person in"', staff.get("/hub/people").text)) >= count

    await until(run, deadline=STARTS_DEADLINE, longest=2)


@contextmanager
def watching(staff: Browser, count: int) -> Iterator[list[str]]:
    """So many streams are open and read; what they tell."""
    told: list[str] = []
    mark = re.search(r'data-wall="([^"]+)"', staff.get("/hub/people").text)
    assert mark
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(httpx.Client(base_url=staff.base_url, cookies=staff.cookies, timeout=60))
            answer = stack.enter_context(client.stream("GET", "/hub/people/live", params={"since": mark[1]}))
            threading.Thread(target=_drain, args=(answer, told), daemon=True).start()
        yield told


def _drain(answer: httpx.Response, told: list[str]) -> None:
    try:
        told.extend(line for line in answer.iter_lines() if line.startswith("data:"))
    except (httpx.HTTPError, httpx.StreamError):
        return


async def cpu_of_hub(hub: ClassHub, every: Callable[[], None] | None = None) -> float:
    """Of one core, in per cent; `every` is done each second, as changes."""
    pid, before, began = hub.hub.process.pid, cpu_seconds(hub.hub.process.pid), time.monotonic()
    while (left := began + SECONDS - time.monotonic()) > 0:
        if every:
            await asyncio.to_thread(every)
        await asyncio.sleep(min(1.0, left))
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - began)


class Activity:
    """Eight people a second report that they did something, as 500 do who report once a minute."""

    def __init__(self, hub: ClassHub, people: int) -> None:
        self._db = hub.hub.folder / "state" / "jupyterhub.sqlite"
        self._people = people
        self._next = 0
        self._ahead = 0

    def __call__(self) -> None:
        """Written beside the hub: its own work for a report is not the wall's."""
        import sqlite3

        self._ahead += 1
        with sqlite3.connect(self._db, timeout=10) as db:
            for _ in range(8):
                name = f"s{self._next % self._people:03d}"
                seen = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime(time.time() + 60 * self._ahead))
                db.execute("UPDATE users SET last_activity = ? WHERE name = ?", (seen, name))
                self._next += 1


async def paint(page: Page, url: str) -> float:
    """Milliseconds from the click to the first contentful paint, best of several: what the page costs, not the load."""
    times = []
    for _ in range(TURNS):
        await page.goto(url)
        times.append(await page.evaluate(_PAINTED))
    return float(min(times))


async def follows(page: Page, hub: ClassHub, staff: Browser) -> list[float]:
    """Seconds from the hub's answer to an act of another of the staff to its row on this page."""
    times = []
    for number in range(5):
        name = f"s{number:03d}"
        await asyncio.to_thread(hub.post, staff, "/hub/people/do", do=f"stop:{name}", sure="1")
        began = time.monotonic()
        await page.locator(f"[data-user={name}]:not([data-state=in])").wait_for(state="attached")
        times.append(time.monotonic() - began)
    return times


async def main(people: int, running: int, watchers: int) -> dict[str, Any]:
    """All figures."""
    folder = Path(tempfile.mkdtemp())
    figures: dict[str, Any] = {"people": people, "running": running, "watchers": watchers}
    async with class_hub(folder, 236, roster(people), staff=("owner",), seconds=0.0) as hub:
        staff = hub.browser("grace")
        await until(lambda: are_known(staff, people + 2), deadline=STARTS_DEADLINE, longest=2)
        await start_all(hub, staff, running)
        activity = Activity(hub, running)
        figures["kib"] = len(staff.get("/hub/people").content) // 1024
        figures["hub_cpu_calm"] = await cpu_of_hub(hub, activity)
        with watching(staff, watchers) as told:
            figures["hub_cpu_watched"] = await cpu_of_hub(hub, activity)
            figures["messages"], figures["rows_sent"] = len(told), sum(line.count("<li class=") for line in told)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            context = await browser.new_context(viewport={"width": 1280, "height": 800})
            await context.add_cookies(
                [
                    {"name": c.name, "value": c.value or "", "domain": "127.236.0.1", "path": c.path}
                    for c in staff.cookies.jar
                ]
            )
            page = await context.new_page()
            figures["paint_empty_ms"] = await paint(page, f"{hub.url}/hub/rejoin-nowhere")
            figures["paint_wall_ms"] = await paint(page, f"{hub.url}/hub/people")
            seconds = await follows(page, hub, staff)
            figures["follows_median_s"], figures["follows_worst_s"] = statistics.median(seconds), max(seconds)
            await browser.close()
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:4]]
    print(json.dumps(asyncio.run(main(*(given + [500, 240, 5][len(given) :])))))
