"""A seminar from its URL on: a seat, a notebook, files that stay, another device."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from playwright.async_api import expect

from tests.browser.look import look
from tests.browser.window import LAB, Lab, window


def outputs(notebook: dict[str, Any], cell: str) -> list[dict[str, Any]]:
    """The outputs of a cell of a saved notebook."""
    return next(c["outputs"] for c in notebook["cells"] if c["id"] == cell)


async def run_welcome(lab: Lab) -> None:
    """Run the notebook that is open at first, and look at what it shows."""
    await lab.run_all(plots=2)
    await expect(lab.output("A term of 15 weeks has 2,520 hours.")).to_be_visible()
    await expect(lab.output(re.compile(r"^168$"))).to_be_visible()
    plot = lab.notebook().locator(".jp-RenderedImage img").first
    await plot.scroll_into_view_if_needed()
    assert await plot.evaluate("image => image.complete && image.naturalWidth > 400")
    await lab.save()
    notebook = await lab.file("welcome.ipynb")
    assert outputs(notebook, "first-cell")[0]["data"]["text/plain"] == "168"
    kinds = [o["output_type"] for c in notebook["cells"] if c["cell_type"] == "code" for o in c["outputs"]]
    assert "error" not in kinds


async def test_two_visitors_work_in_two_servers(browser, seminar):
    """Whoever opens the URL lands in the welcome notebook of a server of their own and runs it to its end."""
    async with window(browser, seminar.url) as ada, window(browser, seminar.url) as ben:

        async def come_and_run(person):
            await person.open()
            lab = await person.in_lab()
            await expect(person.page).to_have_url(re.compile(r"/lab/tree/welcome\.ipynb"))
            await run_welcome(lab)
            return person.user

        users = await asyncio.gather(come_and_run(ada), come_and_run(ben))
        assert len(set(users)) == 2
        assert {seminar.server_of(user)["State"]["Status"] for user in users} == {"running"}
        await expect(ada.page.locator(".Toastify__toast")).to_have_count(0)  # nobody asks about news
        await look(ada.page, "lab", ours=False)
        assert ada.problems + ben.problems == []


async def test_files_outlive_the_server_and_follow_the_person(browser, seminar):
    """A file saved in JupyterLab is there again after the server was stopped, in this browser and on another device."""
    async with window(browser, seminar.url) as here, window(browser, seminar.url) as there:
        await here.open()
        lab = await here.in_lab()
        seat = here.user
        await lab.choose("File", "New", "Text File")
        await here.page.locator(".jp-FileEditor .cm-content").click()
        await here.page.keyboard.insert_text("my own words")
        await here.page.keyboard.press("Control+s")
        await lab.accept()
        await lab.file_is("untitled.txt", "my own words")

        assert here.problems == []

        async with here.context.expect_page() as opening:
            await lab.choose("File", "Hub Control Panel")
        home = await opening.value
        await home.get_by_text("Your Jupyter is running.").wait_for()
        await look(home, "home-running")
        await home.get_by_role("button", name="Stop it").click()
        await home.get_by_text("Your Jupyter is not running.").wait_for()
        await look(home, "home-stopped")
        await home.close()

        await here.open()
        here.problems.clear()  # what JupyterLab, left open, asked of the stopped server
        lab = await here.in_lab()
        assert here.user == seat
        await lab.file_is("untitled.txt", "my own words")

        await here.open("hub/seat")
        await here.says(f"Your seat: {seat}")
        code = await here.page.locator("#code").inner_text()
        await look(here.page, "seat")
        await there.open("hub/rejoin")
        await look(there.page, "rejoin")
        await there.page.get_by_label("Code").fill(code.lower())
        await there.page.get_by_role("button", name="Take my seat").click()
        lab = await there.in_lab()
        assert there.user == seat
        await lab.file_is("untitled.txt", "my own words")

        await lab.choose("File", "Log Out")
        await there.says("You are logged out")
        await look(there.page, "logout-seminar")
        assert here.problems + there.problems == []


async def test_a_wrong_code_takes_no_seat(browser, seminar):
    """A code that no seat has is refused in words, and the page can be corrected."""
    async with window(browser, seminar.url) as person:
        await person.open("hub/rejoin")
        await person.page.get_by_label("Code").fill("AAAA-BBBB")
        await person.page.get_by_role("button", name="Take my seat").click()
        await expect(person.page.get_by_role("alert")).to_contain_text("No seat has this code")
        await expect(person.page.get_by_label("Code")).to_have_value("AAAA-BBBB")
        await look(person.page, "rejoin-wrong")


async def test_pages_beside_the_way(browser, seminar):
    """The pages that few people meet are as good: welcome without script, a long start, nothing here, tokens."""
    async with window(browser, seminar.url, java_script_enabled=False) as plain:
        await plain.open()
        await plain.says("Welcome to Seminar: reading data")
        await look(plain.page, "welcome", scripted=False)

    async with window(browser, seminar.url) as person:
        events = """data: {"progress": 15, "message": "You are next in line."}

data: {"progress": 60, "message": "Your Jupyter is starting."}

"""
        await person.page.route(
            "**/server/progress*",
            lambda route: route.fulfill(headers={"Content-Type": "text/event-stream"}, body=events),
        )
        await person.open()
        await person.says("Your Jupyter is starting")
        await person.page.locator("[data-stage]", has_text="Your Jupyter is starting.").wait_for()
        await look(person.page, "starting")
        await person.page.unroute("**/server/progress*")
        await person.page.reload()
        await person.page.wait_for_url(LAB)
        await person.open("hub/nothing-of-this-name")
        await person.says("There is nothing here")
        await look(person.page, "not-found")
        await person.open("hub/token")
        await person.page.get_by_role("button", name="Request new API token").wait_for()
        await look(person.page, "token", ours=False)
