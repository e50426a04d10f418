"""What the stories of people share: a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support.chromium import ARGUMENTS, CHROMIUM


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """One for each test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()
