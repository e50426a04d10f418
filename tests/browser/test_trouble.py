"""What people see when something does not work: the cause, and a way on."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import DYING_IMAGE
from tests.browser.look import look
from tests.browser.window import window
from tests.support.course import docker


async def test_a_failed_start_says_why_and_can_be_tried_again(browser, broken):
    """A server that exits leaves its cause and last words on the page, and "Try again" works once the cause is gone."""
    async with window(browser, broken.url) as person:
        await person.open()
        await person.says("Your Jupyter did not start")
        await expect(person.page.get_by_role("alert")).to_contain_text("exit code 3")
        await expect(person.page.locator("pre")).to_contain_text("Licence check: the key expired on 31 October.")
        await look(person.page, "failed-start")
        course = f"firstbell.course={broken.name}"
        home = docker("volume", "ls", "-q", "--filter", f"label={course}", "--filter", "label=firstbell.role=home")
        repair = ("--entrypoint", "touch", "-v", f"{home}:/home/jovyan", DYING_IMAGE, "/home/jovyan/repaired")
        docker("run", "--rm", "--network", "none", "--label", course, *repair)
        await person.page.get_by_role("link", name="Try again").click()
        await person.in_lab()


async def test_a_slow_stop_is_followed_to_its_end(browser, seminar):
    """While a server takes its time to end the page says so, and then that it ended, with nothing to do."""
    async with window(browser, seminar.url) as person:
        await person.open()
        await person.in_lab()
        frozen = seminar.server_of(person.user)["Id"]
        await person.open("hub/home")
        person.problems.clear()  # what JupyterLab, left for this page, had under way
        docker("kill", "--signal", "STOP", frozen)
        await person.page.get_by_role("button", name="Stop it").click()
        await person.page.get_by_role("button", name="Stopping …").wait_for()
        await person.page.get_by_text("Your Jupyter is stopping.").wait_for()
        await look(person.page, "home-stopping")
        await person.page.get_by_text("Your Jupyter is not running.").wait_for()
        assert person.problems == []


async def test_the_edge_has_a_page_of_its_own(browser, broken):
    """While the hub is away the edge asks for patience, and the page finds back by itself."""
    async with window(browser, broken.url) as person:
        docker("stop", broken.container("hub"))
        try:
            await person.open()
            await person.says("One moment")
            await look(person.page, "edge-away")
        finally:
            docker("start", broken.container("hub"))
        await person.says("Your Jupyter did not start")
