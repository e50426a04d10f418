"""What the pages do in Chromium: their script, their policy, and that they fit a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.local_hub import running_hub

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Complaints(list[str]):
    """What the browser says against our pages: errors of scripts, and of the content security policy."""

    def watch(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", lambda said: self.append(said.text) if "Security Policy" in said.text else None)
        return page


def visitor(chromium: Browser, complaints: Complaints) -> Page:
    return complaints.watch(chromium.new_context(viewport=PHONE).new_page())


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_one_visit_is_one_click_and_the_full_room_opens_by_itself(chromium: Browser, tmp_path: Path) -> None:
    """Opening the address is enough; who finds the room full is let in without doing anything; a link re-joins."""
    complaints = Complaints()
    with running_hub(tmp_path, {"capacity": 1}, slow=6) as hub:
        first = visitor(chromium, complaints)
        first.goto(hub.url)
        first.wait_for_url("**/hub/spawn-pending/seat-001**")
        first.get_by_text("Starting Jupyter").wait_for()
        assert fits(first)
        assert first.get_by_role("progressbar").get_attribute("aria-valuenow")

        second = visitor(chromium, complaints)
        second.goto(hub.url)
        second.wait_for_url("**/hub/room**")
        second.get_by_role("heading", name="All seats are taken").wait_for()
        assert fits(second)

        first.goto(f"{hub.url}/hub/seat")
        code = first.locator("#code").inner_text()
        assert fits(first)
        first.goto(f"{hub.url}/hub/home")
        first.get_by_role("button", name="Stop it").click()
        first.get_by_role("link", name="Start my Jupyter").wait_for(timeout=20_000)
        second.wait_for_url("**/hub/spawn-pending/seat-002**", timeout=30_000)

        third = visitor(chromium, complaints)
        third.goto(f"{hub.url}/hub/rejoin?next=/hub/home#{code.lower()}")
        third.wait_for_url("**/hub/home")
        assert third.locator(".who").inner_text() == "seat-001"
    assert complaints == []


def test_the_failed_start_is_told(chromium: Browser, tmp_path: Path) -> None:
    """The waiting page turns by itself into the one with the cause, the log lines and another try."""
    complaints = Complaints()
    with running_hub(tmp_path, {}, fails=True, slow=1.5) as hub:
        page = visitor(chromium, complaints)
        page.goto(hub.url)
        page.get_by_role("heading", name="Your Jupyter did not start").wait_for(timeout=30_000)
        assert "no Jupyter in it" in page.get_by_role("alert").inner_text()
        assert "ModuleNotFoundError" in page.locator("pre").inner_text()
        assert page.get_by_role("link", name="Try again").is_visible()
        assert fits(page)
    assert complaints == []
