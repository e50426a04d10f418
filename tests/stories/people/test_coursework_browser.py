"""Coursework in Chromium: an instructor and a student through the pages, live, on a phone, and fit for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.look import look
from tests.browser.window import DESKTOP, PHONE, PICTURES
from tests.support.class_work import PEOPLE, ClassWork, class_work
from tests.support.coursework import fill

LONG = 'amelia,"Amelia Bartholomea von und zu Hohenstein-Wittgenstein",,student,B\n'
PATIENCE = 60_000
"""Milliseconds: the machine may be busy with much else."""


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[ClassWork]:
    async with class_work(tmp_path, 230, PEOPLE + LONG) as work:
        yield work


async def window(
    chromium: Browser, work: ClassWork, username: str, problems: list[str], *, script: bool = True
) -> Page:
    """A window in which that person is logged in."""
    context = await chromium.new_context(java_script_enabled=script)
    await context.add_cookies(
        [
            {"name": c.name, "value": c.value or "", "domain": "127.230.0.1", "path": c.path}
            for c in work.hub.browser(username).cookies.jar
        ]
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return page


@asynccontextmanager
async def at_the_desk(work: ClassWork) -> AsyncIterator[None]:
    """Somebody is there as long as this lasts."""
    is_there = True
    desk = asyncio.create_task(work.room.desk().run(lambda: is_there))
    try:
        yield
    finally:
        is_there = False
        await desk


async def test_an_instructor_and_a_student(work: ClassWork, chromium: Browser) -> None:
    """Handed out, handed in with a receipt, more time, returned: each sees it without asking for the page again."""
    expect.set_options(timeout=PATIENCE)
    problems: list[str] = []
    work.room.source("hw1", {"task.py": "# hw1\n"})
    work.room.source("essay-on-numbers", {"essay.md": "# Why\n"})
    staff = await window(chromium, work, "grace", problems)
    student = await window(chromium, work, "ada", problems)

    await student.goto(f"{work.hub.url}/hub/home")
    await student.get_by_role("navigation").get_by_role("link", name="Coursework").click()
    await expect(student.get_by_text("Nothing has been handed out to you yet.")).to_be_visible()
    await look(student, "mine-nothing")

    await staff.goto(f"{work.hub.url}/hub/coursework")
    await look(staff, "coursework")
    await staff.get_by_role("link", name="hw1").click()
    await staff.get_by_label("Deadline, when handing out").fill("2030-01-02T18:00")
    await staff.get_by_role("button", name="Hand out").click()
    await expect(staff.get_by_role("heading", name="Hand out: hw1, for 4 people?")).to_be_visible()
    await look(staff, "coursework-sure")
    await staff.get_by_role("button", name="Hand out").click()
    await expect(staff.get_by_text("The hub is at work")).to_be_visible()
    await look(staff, "board-working")
    async with at_the_desk(work):
        await expect(staff.locator("[data-count=open]")).to_have_text("4")
        await expect(staff.get_by_text("Done.", exact=True)).to_be_visible()

        work.solve("ada", "hw1", "solved")
        await student.reload()
        await student.get_by_role("button", name="Hand in hw1").click()
        await expect(student.locator(".receipts .hash")).to_have_count(1)
        await look(student, "my-assignment")
        await student.locator(".receipts .hash").click()
        await expect(student.get_by_text("task.py")).to_be_visible()
        await look(student, "receipt")
        await expect(staff.locator("[data-user=ada] .state")).to_have_text("done")

        await staff.get_by_label("Tick Bob Kahn").check()
        await expect(staff.get_by_label("For whom")).to_have_value("ticked")
        await staff.get_by_label("More time, until").fill("2030-02-02T18:00")
        await staff.get_by_role("button", name="Give more time").click()
        await staff.get_by_role("button", name="Give more time").click()
        await expect(staff.locator("[data-user=bob]").get_by_text("until 2030-02-02 18:00")).to_be_visible()

        fill(work.room.layout.feedback("ada", "hw1"), {"task.html": "<h1>Well done</h1>"})
        await staff.get_by_label("Tick Ada Lovelace").check()
        await staff.get_by_label("Tick Bob Kahn").check()
        await staff.get_by_role("button", name="Return").click()
        await staff.get_by_role("button", name="Return").click()
        await expect(staff.locator("[data-user=ada] .state")).to_have_text("returned")
        await staff.get_by_label("Tick Ada Lovelace").check()
        await staff.get_by_role("button", name="Grade …").click()
        await staff.get_by_role("button", name="Grade", exact=True).click()
        await expect(staff.locator("[data-user=ada] .words")).to_contain_text("there is nothing to grade ada by")
        await expect(staff.locator(".wall > li").first).to_have_attribute("data-user", "ada")
    await look(staff, "board")
    await staff.set_viewport_size(PHONE)
    await staff.locator(".wall > li").first.scroll_into_view_if_needed()
    await staff.screenshot(path=PICTURES / "board-rows.png")
    await staff.set_viewport_size(DESKTOP)

    await staff.get_by_role("searchbox", name="Name").fill("lovel")
    await expect(staff.locator("[data-user=bob]")).to_be_hidden()
    assert staff.url.endswith("?q=lovel")
    await staff.get_by_role("link", name="Ada Lovelace").click()
    await look(staff, "board-student")
    await staff.goto(f"{work.hub.url}/hub/coursework")
    await staff.get_by_role("link", name="Everybody", exact=True).click()
    await expect(staff.get_by_role("link", name="hw1 of Ada Lovelace: failed")).to_be_visible()
    await look(staff, "coursework-table")
    await staff.goto(f"{work.hub.url}/hub/coursework/acts")
    await look(staff, "coursework-acts")

    await student.goto(f"{work.hub.url}/hub/coursework")
    await expect(student.get_by_text("Returned")).to_be_visible()
    await look(student, "mine")
    await student.get_by_role("link", name="hw1").click()
    await student.get_by_role("link", name="task.html").click()
    await expect(student.get_by_role("heading", name="Well done")).to_be_visible()
    assert problems == []


async def test_without_script(work: ClassWork, chromium: Browser) -> None:
    """Ticking, asking, doing and handing in need none."""
    expect.set_options(timeout=PATIENCE)
    problems: list[str] = []
    work.room.source("hw1", {"task.py": "# hw1\n"})
    staff = await window(chromium, work, "grace", problems, script=False)
    student = await window(chromium, work, "ada", problems, script=False)
    await staff.goto(f"{work.hub.url}/hub/coursework/on/hw1")
    await staff.get_by_label("Tick Ada Lovelace").check()
    await staff.get_by_label("For whom").select_option("ticked")
    await staff.get_by_role("button", name="Hand out").click()
    await expect(staff.get_by_role("heading", name="Hand out: hw1, for 1 person?")).to_be_visible()
    await staff.get_by_role("button", name="Hand out").click()
    await expect(staff.locator("[data-user=ada] .state")).to_have_text("working")
    await work.work()
    await staff.reload()
    await expect(staff.locator("[data-user=ada] .state")).to_have_text("open")
    await student.goto(f"{work.hub.url}/hub/coursework/mine")
    await student.get_by_role("button", name="Hand in hw1").click()
    await expect(student.get_by_text("Your work is being taken")).to_be_visible()
    await work.work()
    await student.reload()
    await expect(student.locator(".receipts .hash")).to_have_count(1)
    await look(staff, "board-plain", scripted=False)
