"""A real browser in front of a real hub: what redirects and headers promise has to work in JupyterLab too."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from .conftest import PASSWORD

CHROMIUM = Path(__file__).parents[2] / "browser" / "chromium"
pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")


@asynccontextmanager
async def lab_of(hub: Any, name: str) -> AsyncIterator[Page]:
    """A browser whose user is logged in and has JupyterLab open."""
    await asyncio.to_thread(hub.with_server, name)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"{hub.url}/hub/login?next=/user/{name}/")
        await page.fill("#username_input", name)
        await page.fill("#password_input", PASSWORD)
        await page.press("#password_input", "Enter")
        await page.wait_for_selector(".jp-Launcher", timeout=60_000)
        assert f"/user/{name}/lab" in page.url
        yield page
        await browser.close()


async def run_a_cell(page: Page) -> None:
    await page.click('.jp-LauncherCard[data-category="Notebook"]')
    await page.locator(".jp-Notebook .cm-content").first.click()
    await page.keyboard.type("print(6 * 7)")
    await page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    await page.keyboard.press("Shift+Enter")
    await page.wait_for_selector(".jp-OutputArea-output:has-text('42')", timeout=60_000)


async def test_lab_behind_the_hub(hub: Any) -> None:
    """JupyterLab opens, shows the hub's menu, runs a cell and saves a file by cookie and XSRF token alone."""
    async with lab_of(hub, "ada") as page:
        refused: list[str] = []
        page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
        await run_a_cell(page)
        await page.keyboard.press("Control+s")
        await page.click(".jp-Dialog .jp-mod-accept")
        await page.click(".lm-MenuBar-itemLabel:has-text('File')")
        for entry in ("Hub Control Panel", "Log Out"):
            await page.wait_for_selector(f".lm-Menu-itemLabel:has-text('{entry}')", state="attached")
        assert not refused


SCRIPT = """async (path) => {
    const read = await fetch(path + 'api/contents', {credentials: 'include'});
    document.cookie = '_xsrf=planted; path=' + path;
    const options = {method: 'POST', credentials: 'include', headers: {'X-XSRFToken': 'planted'}, body: '{}'};
    const written = await fetch(path + 'api/terminals', options);
    const page = await fetch(path + 'lab', {credentials: 'include'});
    const frame = document.createElement('iframe');
    frame.src = path + 'lab';
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; });
    let framed = false;
    try { framed = frame.contentDocument.body.innerHTML.includes('jupyter-config-data'); } catch (error) {}
    return [read.status, written.status, page.status, framed, document.cookie.includes('jupyterhub-user')];
}"""


async def test_another_page_of_the_same_origin_does_nothing(hub: Any) -> None:
    """A script of the same origin, outside the server, reads and writes nothing there, even with planted cookies."""
    async with lab_of(hub, "eve") as page:
        await page.goto(f"{hub.url}/hub/home")
        assert await page.evaluate(SCRIPT, "/user/eve/") == [403, 403, 403, False, False]
        await page.goto(f"{hub.url}/user/eve/lab")
        await page.wait_for_selector(".jp-Launcher, .jp-Notebook", timeout=60_000)


SOCKET = """(path) => new Promise(done => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + path + 'api/events/subscribe');
    socket.onopen = () => done('open');
    socket.onerror = () => done('refused');
})"""


async def test_websockets_of_other_pages_can_be_refused(hub: Any) -> None:
    """With cookie-only websockets switched off, JupyterLab still runs cells; another page's websocket is refused."""
    async with lab_of(hub, "strict") as page:
        await run_a_cell(page)
        await page.goto(f"{hub.url}/hub/home")
        assert await page.evaluate(SOCKET, "/user/strict/") == "refused"
