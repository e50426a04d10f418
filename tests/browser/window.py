"""A person at a real browser: one window with cookies of its own, which notes whatever goes wrong in it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, ViewportSize
from playwright.async_api import TimeoutError as PlaywrightTimeout

from firstbell.engine.waiting import until

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
PICTURES = Path(__file__).parent / "screenshots"
_numbers = itertools.count(1)
PATIENCE = 90_000
"""Milliseconds that a machine full of other containers may take for one step."""
LAB = re.compile(r"/user/[^/]+/lab")


class Window:
    """A browser window on a course."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.url = url
        self.number = next(_numbers)
        self.problems: list[str] = []
        """Errors on the console, uncaught exceptions, answers of 400 and above, requests without an answer."""
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.problems.append(f"uncaught: {error.error.stack or error.error}"))
        context.on("response", self._on_response)
        context.on("requestfailed", self._on_failed)

    def _on_console(self, message: ConsoleMessage) -> None:
        # What a failed request leaves on the console is told with its status below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console: {message.text[:300]}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.request.method} {_path(response.url)}")

    def _on_failed(self, request: Request) -> None:
        # Leaving a page ends what it still asks for, such as the events of a start.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.failure} {request.method} {_path(request.url)}")

    async def open(self, path: str = "") -> None:
        """Type an address of the course."""
        await self.page.goto(f"{self.url}/{path}")

    async def says(self, words: str) -> None:
        """Wait until the page's heading says that."""
        await self.page.get_by_role("heading", level=1, name=words).wait_for(timeout=PATIENCE)

    async def in_lab(self) -> Lab:
        """Wait until JupyterLab is there, however many pages come before it."""
        await self.page.wait_for_url(LAB, timeout=PATIENCE)
        await self.page.locator("#jp-main-dock-panel").wait_for(timeout=PATIENCE)
        return Lab(self.page)

    @property
    def user(self) -> str:
        """Whose server the window shows."""
        return urlsplit(self.page.url).path.split("/user/")[1].split("/")[0]


@asynccontextmanager
async def window(browser: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    """A new person's window."""
    context = await browser.new_context(viewport=DESKTOP, **options)
    context.set_default_timeout(PATIENCE)
    person = Window(context, await context.new_page(), url)
    try:
        yield person
    except BaseException as error:
        PICTURES.mkdir(exist_ok=True)
        for number, page in enumerate(context.pages):
            await page.screenshot(path=PICTURES / f"failed-{person.number}-{number}.png")
            error.add_note(f"{page.url} looked as in {PICTURES.name}/failed-{person.number}-{number}.png")
        error.add_note("\n".join(person.problems))
        raise
    finally:
        await context.close()


class Lab:
    """JupyterLab, used by menus, keys and double clicks as people do."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def choose(self, menu: str, *items: str) -> None:
        """Choose from the menu bar."""
        await self.page.get_by_role("menuitem", name=menu, exact=True).click()
        for item in items:
            words = re.compile(rf"^\s*{re.escape(item)}\s*$")
            await self.page.locator(".lm-Menu-itemLabel:visible", has_text=words).last.click()

    async def accept(self) -> None:
        """Press a dialog's default button."""
        await self.page.locator(".jp-Dialog .jp-mod-accept").click()

    async def kernel_idle(self) -> None:
        """Wait until the notebook has a kernel with nothing to do."""
        await self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def notebook(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-Notebook:visible")

    def output(self, words: str | re.Pattern[str]) -> Locator:
        """An output that has these words."""
        return self.page.locator(".jp-OutputArea-output", has_text=words)

    async def run_all(self, *, plots: int) -> None:
        """Run the whole notebook, until that many plots are there and the kernel is idle."""
        await self.kernel_idle()
        await self.choose("Run", "Run All Cells")
        await self.page.wait_for_function(
            "n => document.querySelectorAll('.jp-RenderedImage img').length >= n", arg=plots
        )
        await self.kernel_idle()

    async def new_cell(self, code: str) -> None:
        """Put a cell beneath the chosen one, and run it."""
        await self.notebook().locator(".jp-Cell").last.click()
        await self.page.keyboard.press("Escape")
        await self.page.keyboard.press("b")
        await self.notebook().locator(".jp-Cell.jp-mod-active .cm-content").click()
        await self.page.keyboard.insert_text(code)
        await self.page.keyboard.press("Shift+Enter")

    async def open_file(self, *path: str) -> None:
        """Double-click through folders to a file."""
        for name in path:
            await self.page.locator(".jp-DirListing-itemText", has_text=re.compile(f"^{re.escape(name)}$")).dblclick()

    async def file(self, path: str) -> Any:
        """What the server has on disk: a text, a notebook, or None."""
        return await self.page.evaluate(
            """async (path) => {
                const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
                const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)[1];
                const get = async (name) =>
                    (await (await fetch(base + 'api/contents/' + name, {headers: {'X-XSRFToken': token}})).json())
                        .content;
                return (await get('')).some((entry) => entry.name === path) ? await get(path) : null;
            }""",
            path,
        )

    async def file_is(self, path: str, text: str) -> None:
        """Wait until a file has that text."""

        async def same() -> bool:
            return str(await self.file(path) or "").strip() == text

        await until(same, deadline=PATIENCE / 1000, first=0.1, longest=0.5)

    async def save(self) -> None:
        """Save until nothing is left to save: a kernel that answers in between names its language in the notebook."""
        unsaved = self.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")
        await self.kernel_idle()

        async def saved() -> bool:
            await self.page.keyboard.press("Control+s")
            with contextlib.suppress(PlaywrightTimeout):
                await unsaved.wait_for(state="detached", timeout=5_000)
            return await unsaved.count() == 0

        await until(saved, deadline=PATIENCE / 1000, first=0.1, longest=0.5)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme.startswith("http") else url
