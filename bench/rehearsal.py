"""`firstbell rehearse` beside real Chromium windows that come with its crowd: do both see the same?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.async_api import Browser, Response, async_playwright

from bench import machine, our_side
from bench.engine import Engine
from bench.figures import Figure, at_least, at_most
from bench.options import Options
from bench.our_side import FIRSTBELL, OurSide
from bench.record import Record
from tests.support.chromium import ARGUMENTS, CHROMIUM

PEOPLE, WITHIN, WINDOWS = 60, 30.0, 5
_SLACK = 1.5
"""How far a window may lie outside of what the crowd saw: it draws as well, on the machine that it measures."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one window saw: seconds from the click (the form is sent)."""

    lab: float
    """To the first byte of Lab's page."""
    files: float
    """To the last of its scripts."""


def run(engine: Engine, options: Options) -> Record:
    """A warm crowd with the windows among it."""
    people = options.crowd(PEOPLE)
    with our_side.running(engine, room=people + WINDOWS) as side:
        told, windows = asyncio.run(_both(side, people))
    stages: dict[str, Mapping[str, Any]] = {stage["stage"]: stage for stage in told["stages"]}
    lab, files = stages["lab"], stages["files"]
    waits = tuple(window.lab for window in windows)
    within = [lab["shortest"] / _SLACK <= wait <= lab["longest"] * _SLACK for wait in waits]
    return Record(
        name="rehearsal",
        figures=(
            Figure("Failed", (float(told["people"] - lab["count"]),), goal=at_most(0)),
            Figure("Click → Lab page, p50", (lab["p50"],), waits, "s"),
            Figure("Click → its scripts, p50", (files["p50"],), tuple(window.files for window in windows), "s"),
            Figure("Windows whose wait lies within the crowd's", (100 * sum(within) / len(within),), unit="%",
                   goal=at_least(100)),
        ),
        rows=_rows(told["stages"], windows),
        said=f"{people} people of a rehearsal within {WITHIN:g} s into servers that a bell has started, and beside "
        f"them {WINDOWS} Chromium windows. The last window's wait: {waits[-1]:.2f} s, their median "
        f"{median(waits):.2f} s; the crowd's p50 {lab['p50']:.2f} s, its last {lab['longest']:.2f} s.",
        machine=machine.facts(engine),
        beside="Chromium windows",
        details={"verdict": told["verdict"], "cost": told["cost"], "loads": told["loads"]},
    )  # fmt: skip


def _rows(stages: Sequence[Mapping[str, Any]], windows: Sequence[Seen]) -> list[dict[str, Any]]:
    crowd = [{"who": "crowd", **stage} for stage in stages]
    empty = dict.fromkeys(crowd[0], "")
    return crowd + [
        {**empty, "who": f"window {number}", "stage": stage, "count": 1, "p50": round(getattr(window, stage), 4)}
        for number, window in enumerate(windows, 1)
        for stage in ("lab", "files")
    ]


async def _both(side: OurSide, people: int) -> tuple[dict[str, Any], list[Seen]]:
    words = ("--people", str(people), "--within", f"{WITHIN:g}s", "--patience", "10min", "--warm", "--yes", "--json")
    process = await asyncio.create_subprocess_exec(
        FIRSTBELL, "rehearse", *words, cwd=side.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        async for line in process.stderr:
            print(f"    {line.decode().rstrip()}", flush=True)
            if b"people come" in line:
                break
        gap = WITHIN / (WINDOWS + 1)
        coming = [_seen_after(chromium, side.url, gap * (number + 1)) for number in range(WINDOWS)]
        windows = await asyncio.gather(*coming)
        await chromium.close()
    out, _ = await process.communicate()
    return json.loads(out), windows


async def _seen_after(chromium: Browser, url: str, seconds: float) -> Seen:
    await asyncio.sleep(seconds)
    return await seen(chromium, url)


async def seen(chromium: Browser, url: str) -> Seen:
    """Open the course in a window of a new person, wait for Lab, close it."""
    context = await chromium.new_context()
    clicked, there, scripts = list[float](), list[float](), list[float]()

    def note(response: Response) -> None:
        request, timing = response.request, response.request.timing
        began = timing["startTime"] / 1000 + max(0.0, timing["responseStart"]) / 1000
        if request.method == "POST" and "/hub/login" in request.url:
            clicked.append(timing["startTime"] / 1000)
        elif request.resource_type == "document" and "/user/" in request.url and response.ok:
            there.append(began)
        elif request.resource_type == "script":
            scripts.append(began)

    context.on("response", note)
    try:
        page = await context.new_page()
        page.set_default_timeout(180_000)
        await page.goto(url)
        await page.locator("#jp-main-dock-panel").wait_for()
        return Seen(there[-1] - clicked[0], max(scripts) - clicked[0])
    finally:
        await context.close()
