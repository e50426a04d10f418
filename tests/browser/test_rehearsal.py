"""A rehearsal says what people at real browsers see: the same files, the same waits."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from firstbell.rehearsal.browser import Browser as Client
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script
from firstbell.rehearsal.visitor import Visitor
from tests.browser.look import look
from tests.browser.window import window
from tests.support.course import FIRSTBELL, RunningCourse

PEOPLE = 10


async def seen(browser, url: str) -> tuple[float, set[str]]:
    """What one window sees: seconds from the click (the form is sent) to Lab's page, and the scripts it fetched."""
    async with window(browser, url) as person:
        clicked, there, scripts = [], [], set()

        def note(response):
            request = response.request
            if request.method == "POST" and request.url.endswith("/hub/login"):
                clicked.append(request.timing["startTime"])
            if request.resource_type == "document" and "/lab" in request.url and response.status == 200:
                there.append(request.timing["startTime"] + max(0.0, request.timing["responseStart"]))
            if request.resource_type == "script" and response.status < 400:
                scripts.add(urlsplit(request.url).path.rsplit("/", 1)[-1])

        person.context.on("response", note)
        await person.open()
        await person.in_lab()
        return (there[0] - clicked[0]) / 1000, scripts


async def test_a_visitor_fetches_the_scripts_that_a_browser_fetches(browser, seminar: RunningCourse, monkeypatch):
    """The list read from the page's own script is that of Chromium's network panel, but for a few that come later."""
    fetched: set[str] = set()
    ask = Client.file

    async def noted(client: Client, url: str) -> int:
        fetched.add(urlsplit(url).path.rsplit("/", 1)[-1])
        return await ask(client, url)

    monkeypatch.setattr(Client, "file", noted)
    visit = await Visitor(Script(seminar.url, works=False), Person(0), PageFiles()).visit()
    assert visit.is_well and visit.missing_files == 0, visit
    _, scripts = await seen(browser, seminar.url)
    ours = {name for name in fetched if name.endswith(".js")}
    common = {name for name in scripts if name.split(".")[0].isdigit() or name.startswith(("main.", "jlab_core."))}
    assert len(ours - scripts) <= 2, sorted(
        ours - scripts
    )  # what an extension brings as well is fetched from one place
    assert len(common - ours) <= len(common) // 4, sorted(common - ours)


async def test_windows_beside_a_crowd_wait_as_long_as_it_says(browser, seminar: RunningCourse, tmp_path: Path):
    """Two windows that come with the crowd see a wait that lies within the crowd's own; its report is looked at."""
    words = ("rehearse", "--people", str(PEOPLE), "--within", "5s", "--patience", "5min", "--yes", "--json")
    process = await asyncio.create_subprocess_exec(
        FIRSTBELL, *words, "--out", str(tmp_path), cwd=seminar.folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    )  # fmt: skip
    assert process.stderr is not None
    async for line in process.stderr:
        if b"people come" in line:
            break
    windows = await asyncio.gather(*(seen(browser, seminar.url) for _ in range(2)))
    out, _ = await process.communicate()
    told = json.loads(out)
    lab = next(stage for stage in told["stages"] if stage["stage"] == "lab")
    # Whoever comes first is served by the container that waits: one of the windows, perhaps.
    waited = max(wait for wait, _ in windows)
    assert lab["shortest"] * 0.5 <= waited <= lab["longest"] * 2 + 1, (windows, lab)

    async with window(browser, "about:blank") as person:
        await person.page.goto((tmp_path / "report.html").as_uri())
        await person.says(f"{PEOPLE} people: yes.")
        await look(person.page, "rehearsal")
        assert person.problems == []
