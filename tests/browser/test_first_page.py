"""What the first page and the second visit weigh in a real browser, and that people's own extensions run in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.window import PATIENCE, window

FIRST, SECOND = 1_600_000, 50_000
"""Bytes over the wire."""
NAME = "firstbell-trial"
BUILD = {"load": "static/remoteEntry.00112233445566ff.js", "extension": "./extension"}
PACKAGE = {"name": NAME, "version": "0.1.0", "jupyterlab": {"extension": True, "_build": BUILD}}
ENTRY = """
const plugin = {
  id: "firstbell-trial:plugin",
  autoStart: true,
  activate: app => { app.restored.then(() => { document.body.dataset.trial = app.name + " " + location.pathname; }); }
};
(window._JUPYTERLAB = window._JUPYTERLAB || {})["firstbell-trial"] = {
  init: () => {},
  get: () => Promise.resolve(() => ({ __esModule: true, default: plugin }))
};
"""
PUT = """
import json, pathlib
place = pathlib.Path.home() / ".local/share/jupyter/labextensions/firstbell-trial"
(place / "static").mkdir(parents=True, exist_ok=True)
(place / "package.json").write_text({package!r})
(place / "static/remoteEntry.00112233445566ff.js").write_text({entry!r})
print("it is " + "there")
"""


class Traffic:
    """What a page's requests weigh on the wire, as the browser's own network log says it."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}
        self.bytes: Counter[str] = Counter()

    def sent(self, event: dict[str, Any]) -> None:
        self.paths[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def finished(self, event: dict[str, Any]) -> None:
        self.bytes[self.paths.get(event["requestId"], "?")] += event["encodedDataLength"]

    @property
    def total(self) -> int:
        return sum(self.bytes.values())

    def of(self, part: str) -> list[str]:
        return [path for path in self.paths.values() if part in path]


@asynccontextmanager
async def traffic(page: Page) -> AsyncIterator[Traffic]:
    """That of what the page does meanwhile, until it has nothing more to ask."""
    seen = Traffic()
    log = await page.context.new_cdp_session(page)
    log.on("Network.requestWillBeSent", seen.sent)
    log.on("Network.loadingFinished", seen.finished)
    await log.send("Network.enable")
    yield seen
    await page.locator("#jp-main-dock-panel .jp-Launcher").wait_for(timeout=PATIENCE)
    await page.wait_for_load_state("networkidle")
    await log.detach()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(browser: Browser, seminar: Any) -> AsyncIterator[Any]:
    """Somebody whose server runs."""
    async with window(browser, seminar.url) as visitor:
        await visitor.open()
        await visitor.in_lab()
        yield visitor


async def test_the_first_page_is_light_and_the_second_visit_lighter(browser, seminar, known):
    """A browser that was never here gets Lab's page within 1.6 MB, with all its files from the edge; again: 50 kB."""
    kept = await known.context.storage_state()
    async with window(browser, seminar.url, storage_state=kept) as person:
        async with traffic(person.page) as first:
            await person.open(f"user/{known.user}/lab/workspaces/light")
        assert not [path for path in first.of(f"/user/{known.user}/") if path.endswith((".js", ".css"))]
        assert first.of("/_static/")
        assert first.of("theme-light-extension/index.css")[0].startswith("/_static/")
        assert first.of("/companion.js")[0].startswith("/_static/")
        assert 200_000 < first.total < FIRST, first.bytes.most_common(10)
        async with traffic(person.page) as second:
            await person.page.reload()
        assert 1_000 < second.total < SECOND, second.bytes.most_common(10)
        assert not [path for path in second.of("/_static/") if second.bytes[path]]
        assert person.problems == []


async def test_an_extension_of_ones_own_runs(known):
    """A prebuilt extension put into the home runs after a reload: its code from the own server, Lab's from the edge."""
    lab = await known.in_lab()
    await lab.kernel_idle()
    await lab.new_cell(PUT.format(package=json.dumps(PACKAGE), entry=ENTRY))
    await lab.output("it is there").wait_for()
    await lab.save()
    async with known.page.expect_request(f"**/user/{known.user}/lab/extensions/{NAME}/static/remoteEntry*"):
        await known.page.reload()
    await known.page.locator("body[data-trial]").wait_for(state="attached", timeout=PATIENCE)
    assert (await known.page.locator("body").get_attribute("data-trial") or "").startswith("JupyterLab /user/")
    scripts = await known.page.evaluate("[...document.scripts].map(script => script.src)")
    assert [script for script in scripts if "/_static/" in script and "/lab/main." in script]
    assert known.problems == []
