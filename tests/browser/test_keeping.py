"""What people see of limits and ends in a real JupyterLab: full memory, the notice, and how long a server runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.door import choose_password, invitation
from tests.browser.look import findings, look
from tests.browser.window import PICTURES, window
from tests.support.course import RunningCourse, running

ROSTER = """\
username,name,email,role,section
ada,Ada Lovelace,,student,
bob,Bob Ross,,student,
grace,Grace,,instructor,
"""
IDLE = '[[idle]]\nwho = "staff"\nidle = 0'
HUNGRY = "x = []\nwhile True: x.append(bytearray(16 * 2**20))"
SOON = 150_000
"""Milliseconds: idle time, the page's next question, and a busy machine."""
NOTICE = "Nobody seems to use your Jupyter. It ends in 1 min; your files are kept."


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class of small servers that end after a minute and a half."""
    folder = tmp_path_factory.mktemp("keeping")
    (folder / "roster.csv").write_text(ROSTER)
    server = 'open = "start.ipynb"\nmemory = "512M"\nidle = "90s"\nidle_notice = "45s"\nkeep_most = "12h"'
    with running(folder, "test-browser-keeping", access='login = "roster"', server=server, rest=IDLE) as course:
        yield course


def toast(page: Page, words: str) -> Locator:
    """A notification in Lab."""
    return page.locator(".Toastify__toast", has_text=words)


async def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")


async def test_a_full_memory_is_explained_in_lab(browser, keeping):
    """The notebook that took it all is named with used and limit; Lab is still there; staff see it, and give more."""
    async with window(browser, keeping.url) as person, window(browser, keeping.url) as staff:
        await choose_password(staff, invitation(keeping, "grace"))
        await choose_password(person, invitation(keeping, "bob"))
        lab = await person.in_lab()
        await lab.kernel_idle()
        await lab.new_cell(HUNGRY)
        told = toast(person.page, "Memory was full")
        await expect(told).to_contain_text(
            "(512 MB of 512 MB): your notebook start.ipynb was ended and began anew. What it held is gone"
        )
        await picture(person.page, "memory-full-lab")
        await lab.accept()  # Lab itself says that a kernel seems to have died
        await lab.new_cell("print('goes', 'on')")
        await lab.output("goes on").wait_for()
        await staff.open("hub/people")
        row = staff.page.locator('[data-user="bob"]')
        await expect(row).to_contain_text("its memory was full")
        await look(staff.page, "memory-full-wall")
        await staff.open("hub/people/of/bob")
        await look(staff.page, "memory-more")
        await staff.page.get_by_role("button", name="Give more memory").click()
        await expect(staff.page.get_by_text("may use 1.0 GiB until").first).to_be_visible()
        await look(staff.page, "memory-given")
        await expect(toast(person.page, "Your Jupyter may use 1.0 GiB")).to_be_visible()


async def test_the_notice_is_answered_in_lab_and_on_the_hubs_page(browser, keeping):
    """Lab open and nobody before it: told, one click says "still here", another keeps it; then it ends, explained."""
    async with window(browser, keeping.url) as person:
        await choose_password(person, invitation(keeping, "ada"))
        lab = await person.in_lab()
        await lab.kernel_idle()
        page = person.page
        notice = toast(page, NOTICE)
        await expect(notice).to_be_visible(timeout=SOON)
        await picture(page, "idle-notice-lab")
        assert not [one for one in await findings(page) if "toast" in one.lower() or "firstbell" in one.lower()]
        await notice.get_by_role("button", name="Still here").click()
        await expect(notice).to_be_hidden()
        await expect(notice).to_be_visible(timeout=SOON)
        await notice.get_by_role("button", name="Keep until…").click()
        await expect(page.get_by_text("Your Jupyter goes on, used or not, until:")).to_be_visible()
        await picture(page, "idle-keep-lab")
        await lab.accept()
        await expect(notice).to_be_hidden()
        other = await person.context.new_page()
        await other.goto(f"{keeping.url}/hub/idle")
        await expect(other.get_by_text("It is kept until")).to_be_visible()
        await look(other, "idle-page-kept")
        await other.get_by_role("button", name="No longer").click()
        await expect(other.get_by_text("It is kept until")).to_be_hidden()
        await look(other, "idle-page")
        await other.goto("about:blank")
        ended = re.compile("not running|unavailable", re.IGNORECASE)
        await expect(page.locator(".jp-Dialog").get_by_text(ended).first).to_be_visible(timeout=SOON)
        await expect(notice).to_be_hidden()
        await picture(page, "idle-ended-lab")
        await other.goto(f"{keeping.url}/hub/home")
        await expect(other.get_by_text("as nobody had used it for 2 min")).to_be_visible()
        await look(other, "idle-ended-home")
