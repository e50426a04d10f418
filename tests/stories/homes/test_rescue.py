"""Somebody's home takes nothing more, by bytes or by files: nobody else notices, and they let themselves out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from statistics import median

import pytest
from playwright.async_api import Browser, Page, expect

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.names import Role
from tests.browser.look import look
from tests.stories.homes.conftest import PASSWORD, joined, stopped
from tests.support.course import RunningCourse, running
from tests.support.disk import MIB, disk_volume
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

NAME = "test-rescue"
SIZE, INODES = 64 * MIB, 2000
FILL = "dd if=/dev/zero of=hog bs=64k count=2000 2>&1 | head -1"
"""Never more than 131 MB, should the home not be the small disk."""
FILL_FILES = "mkdir many; cd many; (for i in $(seq 3000); do : > $i || break; done) 2>&1 | tail -1"
CELLS = 30


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class of two and its teacher; Ada's home is a small disk of its own."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "roster.csv").write_text("username,name,role\nada,Ada,\nben,Ben,\ngrace,Grace,instructor\n")
    labels = names.labels(NAME, Role.HOME, "ada")
    with (
        running(
            folder,
            NAME,
            access='login = "roster"',
            server='memory = "512M"\nidle = 0',
            rest='[homes]\nquota = "1G"',
        ) as course,
        disk_volume(folder, names.home(NAME, "ada"), labels, SIZE, INODES),
    ):
        yield course


async def restarted(course: RunningCourse, visitor: Visitor) -> float:
    """Stopped and started again; the seconds that the start took."""
    await stopped(course, visitor)
    began = time.monotonic()
    await visitor.server()
    return time.monotonic() - began


async def latency(visitor: Visitor, kernel: str) -> float:
    """Milliseconds of a small cell, the median of some."""
    took = []
    for _ in range(CELLS):
        began = time.monotonic()
        assert (await visitor.execute("print(6 * 7)", kernel)).text == "42\n"
        took.append(1000 * (time.monotonic() - began))
    return median(took)


def notebook(text: str) -> dict[str, object]:
    cell = {"cell_type": "markdown", "metadata": {}, "source": text}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return {"type": "notebook", "format": "json", "content": content}


@pytest.mark.parametrize(("fill", "what"), [(FILL, "hog"), (FILL_FILES, "many")], ids=["bytes", "inodes"])
async def test_a_full_home_lets_its_owner_in(course: RunningCourse, fill: str, what: str) -> None:
    """It starts as ever, says so, loses nothing, and what is deleted in Lab is gone for good and makes room."""
    async with joined(course, "ada") as ada, joined(course, "ben") as ben:
        await ada.server()
        await ben.server()
        usual = await restarted(course, ada)
        assert (await ada.api("PUT", "contents/work.ipynb", notebook("yesterday")))[0] in {200, 201}
        kernel = await ben.kernel()
        before = await latency(ben, kernel)
        said = await ada.sh(fill)
        assert "No space left" in said, said
        after = await latency(ben, kernel)
        seconds = await restarted(course, ada)
        figures = f"start {usual:.1f} s, in need {seconds:.1f} s; Ben's cell {before:.0f} ms, then {after:.0f} ms"
        print(figures)
        assert seconds < 3 * usual + 5, figures
        assert after < 3 * before + 50, figures
        assert "/dev/shm/" in await ada.sh("echo $FIRSTBELL_RESCUE $IPYTHONDIR")
        assert (await ada.api("PUT", "contents/work.ipynb", notebook("x" * 3 * MIB)))[0] >= 400
        status, found = await ada.api("GET", "contents/work.ipynb")
        assert status == 200 and "yesterday" in json.dumps(found["content"])

        async def told(words: str) -> bool:
            return words in (await ada.open("hub/home")).text

        await until(lambda: told("Your home is full"), deadline=30)
        assert "Your home is full" not in (await ben.open("hub/home")).text
        status, answer = await ada.api("DELETE", f"contents/{what}")
        assert status == 204, answer
        assert "[exit 0]" in await ada.sh("! ls -A ~/.local/share/Trash/files | grep .")
        status, answer = await ada.api("PUT", "contents/work.ipynb", notebook("today"))
        assert status == 200, answer
        await restarted(course, ada)
        assert (await ada.sh("echo [$FIRSTBELL_RESCUE]")).startswith("[]")


def test_a_limit_that_is_not_enforced_is_said(course: RunningCourse) -> None:
    """By `up`, `status` and `doctor`, with the reason; where the machine's disk has project quotas nobody says it."""
    words = json.loads(course.cli("up", "--yes", "--json").stdout).get("homes", "")
    figures = json.loads(course.cli("status", "--json").stdout)["figures"]
    found = course.cli("doctor", "--json", check=False).stdout
    assert figures["homes_enforced"] is not bool(words) and figures["homes_enforced"] is not None
    assert ("has no project quotas" in words) is bool(words)
    assert ("told and not enforced" in found) is bool(words)


async def test_in_the_browser(course: RunningCourse, chromium: Browser) -> None:
    """Lab says it, shows what takes the room and empties the trash; the hub's page and the wall say it, too."""
    async with joined(course, "ada") as ada, joined(course, "grace"):
        await ada.server()
        await ada.sh("mkdir -p ~/.local/share/Trash/files; cd ~/.local/share/Trash/files; " + FILL)
        await restarted(course, ada)
        context = await chromium.new_context()
        page = await context.new_page()
        await _log_in(page, course.url, "ada")
        await page.goto(f"{course.url}/user/ada/lab")
        await expect(page.locator(".Toastify__toast", has_text="Your home is full")).to_be_visible(timeout=60_000)
        await look(page, "rescue-lab", ours=False)
        await page.get_by_role("button", name="What takes the room").click()
        dialog = page.locator(".jp-Dialog")
        await expect(dialog).to_contain_text(".local/share/Trash")
        await look(page, "rescue-room", ours=False)
        await page.goto(f"{course.url}/hub/home")
        await expect(page.get_by_text("Your home is full")).to_be_visible()
        await look(page, "rescue-home")
        staff = await (await chromium.new_context()).new_page()
        await _log_in(staff, course.url, "grace")
        await staff.goto(f"{course.url}/hub/people")
        await expect(staff.get_by_text("the home is full")).to_be_visible(timeout=60_000)
        await look(staff, "rescue-wall")
        listed = json.loads(course.cli("people", "list", "--json").stdout)["people"]
        assert "(full)" in next(person["home"] for person in listed if person["username"] == "ada")
        await page.goto(f"{course.url}/user/ada/lab")
        await page.get_by_role("button", name="What takes the room").click()
        await page.get_by_role("button", name="Empty trash and caches").click()
        await expect(page.locator(".Toastify__toast", has_text="There is room in your home again")).to_be_visible()
        await look(page, "rescue-again", ours=False)


async def _log_in(page: Page, url: str, username: str) -> None:
    await page.goto(f"{url}/hub/login")
    await page.fill("input[name=username]", username)
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url("**/user/**", timeout=90_000)
