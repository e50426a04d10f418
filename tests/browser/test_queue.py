"""The page on which somebody waits for their turn, at a hub whose servers never come up."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from firstbell.model.container import GIB, MIB
from firstbell.model.course import Course
from tests.browser.look import look
from tests.browser.window import PATIENCE, window
from tests.support.engineless_hub import IMAGE, EnginelessHub, engineless_hub
from tests.support.visitor import Visitor

COURSE = Course(
    name="test-browser-queue", title="Statistics I", url="http://127.0.0.1:1", server={"image": IMAGE, "timeout": 600}
)


@pytest_asyncio.fixture(loop_scope="session")
async def hub(tmp_path: Path) -> AsyncIterator[EnginelessHub]:
    """All its slots are taken for good."""
    async with engineless_hub(tmp_path, 242, course=COURSE, hang=True, left=1.5, patience=600) as running:
        for _ in range(3):
            async with Visitor(running.url) as visitor:
                await visitor.enter()
                await visitor.open("hub/spawn")
        yield running


@pytest.mark.usefixtures("hub")
async def test_waiting_for_ones_turn(browser, hub):
    """The page shows place and time, with and without script; a reload keeps the place, leaving gives it up."""
    plain = {"java_script_enabled": False}
    async with window(browser, hub.url.rstrip("/")) as first, window(browser, hub.url.rstrip("/"), **plain) as second:
        await first.open()
        await first.says("Your Jupyter is starting")
        place, wait = first.page.locator("[data-place]"), first.page.locator("[data-wait]")
        await expect(place).to_have_text("1", timeout=PATIENCE)
        await expect(wait).to_have_text(re.compile(r"^about \d+ seconds$"))
        await look(first.page, "queue")

        await second.open("hub/spawn")
        await second.page.get_by_role("button").first.click()
        await second.says("Your Jupyter is starting")
        await expect(second.page.locator("[data-place]")).to_have_text("2", timeout=PATIENCE)
        await look(second.page, "queue-plain", scripted=False)

        await first.page.reload()
        await expect(place).to_have_text("1", timeout=PATIENCE)
        await expect(second.page.locator("[data-place]")).to_have_text("2", timeout=PATIENCE)
        await first.page.goto("about:blank")
        await expect(second.page.locator("[data-place]")).to_have_text("1", timeout=PATIENCE)
        await first.page.go_back()
        await first.says("Your Jupyter is starting")
        await expect(place).to_have_text("2", timeout=PATIENCE)
        assert first.problems == []


async def test_a_full_memory(browser, hub):
    """Where the memory is full the page says so kindly; the numbers are for the instructor."""
    hub.wish(hang=False)
    hub.has_memory(4 * GIB, 256 * MIB)
    async with window(browser, hub.url.rstrip("/")) as person:
        await person.open()
        await person.says("There is no room at the moment")
        await look(person.page, "no-room")
