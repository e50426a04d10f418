"""The wall in Chromium: live, found and sorted without a request, fit for a phone and for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from firstbell.model.container import GIB
from tests.browser.look import look
from tests.support.class_hub import ClassHub, class_hub

PEOPLE = """\
grace,Grace Hopper,,instructor,
ada,Ada Lovelace,,student,A
amy,"Amelia Bartholomea von und zu Hohenstein-Wittgenstein",,student,A
bob,Bob Kahn,,student,B
eve,Eve Moneypenny,,student,B
"""
TELL = """async (notebook) => {
  const now = new Date().toISOString();
  const body = JSON.stringify({ servers: { "": { last_activity: now } }, last_activity: now, notebook });
  const headers = { "Content-Type": "application/json", "X-XSRFToken": xsrf };
  return (await fetch(`${hub}api/users/ada/activity`, { method: "POST", body, headers })).status;
}"""
"""As her server would report."""
PATIENCE = 60_000
"""Milliseconds: the machine may be busy with much else."""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ClassHub]:
    async with class_hub(tmp_path, 237, PEOPLE, seconds=0.05, measure=0.5) as hub:
        yield hub


async def window(chromium: Browser, hub: ClassHub, username: str, problems: list[str]) -> Page:
    """A window in which that person is logged in."""
    context: BrowserContext = await chromium.new_context()
    cookies = hub.browser(username).cookies.jar
    await context.add_cookies(
        [{"name": c.name, "value": c.value or "", "domain": "127.237.0.1", "path": c.path} for c in cookies]
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return page


async def test_the_wall(hub: ClassHub, chromium: Browser) -> None:
    """One instructor acts, the other's page follows; finding, sorting, stopping, writing; the student reads of it."""
    expect.set_options(timeout=PATIENCE)
    problems: list[str] = []
    acting = await window(chromium, hub, "grace", problems)
    looking = await window(chromium, hub, "grace", problems)
    await looking.goto(f"{hub.url}/hub/people")
    await acting.goto(f"{hub.url}/hub/people")
    await acting.get_by_role("button", name="Start the server of Ada Lovelace").click()
    row = looking.locator("[data-user=ada]")
    await expect(row.locator(".state")).to_have_text("in")
    await expect(looking.locator("[data-count=in]")).to_have_text("1")
    await expect(looking.locator(".wall li").first).to_have_attribute("data-user", "ada")

    hub.hub.wish(hang=True)
    await acting.get_by_role("button", name="Start the server of Bob Kahn").click()
    await expect(looking.locator("[data-user=bob] .words")).to_have_text("Jupyter is starting")
    hub.hub.has_memory(2 * GIB, GIB // 1024)
    await acting.get_by_role("button", name="Start the server of Eve Moneypenny").click()
    await expect(looking.locator("[data-user=eve] .state")).to_have_text("failing")
    hub.hub.wish(hang=False)
    await expect(looking.locator("[data-user=bob] .state")).to_have_text("in")
    hub.hub.has_memory(64 * GIB, 64 * GIB)
    await acting.get_by_role("button", name="Start the server of Amelia").click()
    limit = hub.hub.course.server.memory
    hub.hub.wish(memory={"ada": limit // 3, "bob": limit * 8 // 10, "amy": limit * 97 // 100})
    await expect(looking.locator("[data-user=amy] .words")).to_have_text("the memory is all but full")
    await expect(looking.get_by_role("meter", name="Memory of Bob Kahn")).to_have_attribute("value", "80")
    student = await window(chromium, hub, "ada", problems)
    await student.goto(f"{hub.url}/hub/home")
    assert await student.evaluate(TELL, "Week 3/Trees and forests, part 2.ipynb") == 200
    await expect(row.locator(".notebook")).to_contain_text("Trees and forests")
    await look(student, "home-seen")
    await look(looking, "people")

    await looking.get_by_role("searchbox", name="Name").fill("lovel")
    await expect(looking.locator("[data-user=bob]")).to_be_hidden()
    await expect(row).to_be_visible()
    assert looking.url.endswith("?q=lovel")
    await looking.get_by_role("searchbox", name="Name").fill("")
    await looking.get_by_label("First").select_option("name")
    await expect(looking.locator(".wall li").first).to_have_attribute("data-user", "ada")

    await acting.get_by_role("button", name="Stop the server of Ada Lovelace").click()
    await look(acting, "people-sure")
    await acting.get_by_role("button", name="Stop", exact=True).click()
    await expect(row.locator(".state")).to_have_text("absent")

    await acting.get_by_role("link", name="Ada Lovelace").click()
    await acting.get_by_label("Message").fill("Please come to my desk.")
    await acting.get_by_role("button", name="Send").click()
    await expect(acting.get_by_text("Please come to my desk.")).to_be_visible()
    await look(acting, "person")
    await acting.goto(f"{hub.url}/hub/people/acts")
    await look(acting, "people-acts")

    await student.goto(f"{hub.url}/hub/home")
    await expect(student.get_by_text("Grace Hopper: Please come to my desk.")).to_be_visible()
    await look(student, "home-told")
    await student.get_by_role("button", name="I have read it").click()
    await expect(student.get_by_text("Please come to my desk.")).to_have_count(0)
    assert problems == []
