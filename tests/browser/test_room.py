"""A full room, entered by passcode, in Jupyter Notebook."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.look import look
from tests.browser.window import PATIENCE, Window, window

NOTEBOOK = re.compile(r"/user/[^/]+/notebooks/start\.ipynb")

NOTEBOOKS_OWN = "TypeError: Cannot read properties of undefined (reading 'schema')"
"""Notebook 7 throws this at each start, wherever it runs, and goes on: it looks at settings still being loaded."""


async def enter(person: Window) -> None:
    await person.open()
    await person.page.get_by_label("Passcode").fill("open sesame")
    await person.page.get_by_role("button", name="Take a seat").click()


async def test_the_next_one_is_let_in_as_a_seat_frees_up(browser, full):
    """The second visitor of a room for one waits on a plain page and gets in untouched when the first one stops."""
    async with window(browser, full.url) as first, window(browser, full.url) as second:
        await first.open()
        await first.page.get_by_label("Passcode").wait_for()
        await look(first.page, "passcode")
        await enter(first)
        await first.page.wait_for_url(NOTEBOOK)
        await first.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        await look(first.page, "notebook", ours=False)
        assert [p for p in first.problems if NOTEBOOKS_OWN not in p] == []

        await enter(second)
        await second.says("All seats are taken")
        await expect(second.page.locator("[data-place]")).to_have_text("1")
        await look(second.page, "full-room")
        await first.open("hub/home")
        await first.page.get_by_role("button", name="Stop it").click()
        await first.page.get_by_text("Your Jupyter is not running.").wait_for()
        await second.page.wait_for_url(NOTEBOOK, timeout=PATIENCE)
        assert [p for p in second.problems if NOTEBOOKS_OWN not in p] == []


async def test_a_wrong_passcode_opens_nothing(browser, full):
    """A wrong passcode is refused in words and takes no seat."""
    async with window(browser, full.url) as person:
        await person.open()
        await person.page.get_by_label("Passcode").fill("open rye")
        await person.page.get_by_role("button", name="Take a seat").click()
        await expect(person.page.get_by_role("alert")).to_have_text("That is not the passcode. Please try again.")
        await look(person.page, "passcode-wrong")
