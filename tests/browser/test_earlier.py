"""Somebody's own files, earlier, on a real engine: backed up, looked at and put back beside today's, in a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from firstbell.engine.waiting import until
from firstbell.model.runtime import HOME_DIR
from tests.browser.door import choose_password, invitation
from tests.browser.look import look
from tests.browser.window import Window, window
from tests.support.course import RunningCourse, docker, running

ROSTER = """\
username,name,email,role,section
grace,Grace Hopper,,instructor,
ada,Ada Lovelace,,student,A
bob,Bob Kahn,,student,B
"""
PASSWORD = {"BACKUP_PASSWORD": "correct horse, battery staple"}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Squares <script>document.title='taken'</script>"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["print(2 ** 2)"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["4\n"]}],
        },
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}
HOSTILE = "<img src=x onerror=\"document.title='taken'\">\u202efdp.exe"
FILL = """\
import json, pathlib, sys
home = pathlib.Path.cwd()
week = home / "week1"
(week / "deep").mkdir(parents=True)
(week / "squares.ipynb").write_text(sys.argv[1])
(week / sys.argv[2]).write_text("<script>document.title='taken'</script> & more")
(week / "deep" / "notes.txt").write_text("as it was")
(week / "picture.png").write_bytes(bytes(range(256)))
many = home / "many"
many.mkdir()
for n in range(450):
    (many / f"{n:03}.txt").write_text(str(n))
"""
CHANGE = """\
import pathlib, shutil
week = pathlib.Path("week1")
(week / "squares.ipynb").write_text("today's")
shutil.rmtree(week / "deep")
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class with backups in a directory."""
    folder = tmp_path_factory.mktemp("earlier")
    (folder / "store").mkdir()
    (folder / "roster.csv").write_text(ROSTER)
    with running(
        folder,
        "test-browser-earlier",
        top='title = "Squares"\ntime_zone = "Europe/Berlin"',
        access='login = "roster"\nroster = "roster.csv"\ncapacity = 9',
        server='memory = "512M"\nidle = 0',
        rest=f'[backup]\nto = "{folder}/store"\npassword = "env:BACKUP_PASSWORD"\nevery = "1h"',
        environment=PASSWORD,
    ) as up:
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(browser: Browser, course: RunningCourse) -> AsyncIterator[Window]:
    """A student whose work of this morning is in the backup."""
    async with window(browser, course.url) as person:
        await choose_password(person, invitation(course, "ada"))
        await person.in_lab()
        in_home(course, FILL, json.dumps(NOTEBOOK), HOSTILE)
        command(course, "backup", "now")
        in_home(course, CHANGE)
        yield person


def in_home(course: RunningCourse, program: str, *words: str) -> str:
    """Run it in the student's server."""
    return docker("exec", "-w", HOME_DIR, course.server_of("ada")["Name"].strip("/"), "python3", "-c", program, *words)


def command(course: RunningCourse, *words: str) -> Any:
    """What a command says as JSON."""
    said = course.cli(*words, "--json", environment=PASSWORD, check=False).stdout
    return json.loads(said)


async def is_known(person: Window) -> bool:
    """Whether the page knows of the backup that was asked for: the keeper looks at the storage once it is over."""
    await person.open("hub/files/earlier")
    newest = person.page.locator(".moments a")
    if await newest.count() == 0:
        return False
    await newest.first.click()
    return await person.page.get_by_role("link", name="week1").count() > 0


async def test_labs_menu_leads_there(ada: Window) -> None:
    """It opens the page in a tab of its own; Lab stays where it is."""
    lab = await ada.in_lab()
    async with ada.context.expect_page() as opened:
        await lab.choose("Course", "My Files, Earlier")
    page = await opened.value
    await expect(page.get_by_role("heading", level=1, name="My files, earlier")).to_be_visible()
    await page.close()
    await ada.in_lab()


async def test_looked_at_and_put_back_beside_todays(course: RunningCourse, ada: Window) -> None:
    """A notebook that was overwritten, seen as it was and put back while its server runs; today's stays as it is."""
    await ada.open("hub/home")
    await ada.page.get_by_role("link", name="My files, earlier").click()
    await until(lambda: is_known(ada), deadline=60)
    await ada.page.get_by_role("link", name="All times").click()
    await look(ada.page, "real-earlier")
    await ada.page.locator(".moments a").first.click()
    await ada.page.get_by_role("link", name="week1").click()
    await expect(ada.page.get_by_text("\\u202efdp.exe")).to_be_visible()
    await look(ada.page, "real-earlier-folder")
    await ada.page.get_by_role("link", name="squares.ipynb").click()
    await expect(ada.page.locator("pre.of-words")).to_contain_text("<script>")
    await expect(ada.page.locator("pre.of-output")).to_have_text("4\n")
    await look(ada.page, "real-earlier-file")
    await ada.page.get_by_role("button", name="Put it back beside today's").click()
    await expect(ada.page.get_by_text("is among your files now")).to_be_visible()
    await look(ada.page, "real-earlier-done")
    names = in_home(course, "import os; print(*sorted(os.listdir('week1')), sep='\\n')").splitlines()
    (fresh,) = [name for name in names if name.startswith("squares (")]
    read = f"import pathlib; print(pathlib.Path('week1', {fresh!r}).read_text())"
    assert json.loads(in_home(course, read)) == NOTEBOOK
    assert in_home(course, "print(open('week1/squares.ipynb').read())") == "today's"
    assert in_home(course, f"import os; print(os.stat({'week1/' + fresh!r}).st_uid)") == "1000"
    assert await ada.page.title() == "My files, earlier · Squares"


async def test_hostile_names_and_contents_do_nothing(ada: Window) -> None:
    """They are shown as what they are; a picture says that it is none of text; a large folder has pages."""
    await ada.open("hub/files/earlier")
    await ada.page.locator(".moments a").first.click()
    top = ada.page.url
    await ada.page.get_by_role("link", name="week1").click()
    await ada.page.get_by_role("link", name="onerror").click()
    await expect(ada.page.locator("pre.of-text")).to_have_text("<script>document.title='taken'</script> & more")
    assert "taken" not in await ada.page.title() or "<img" in await ada.page.title()
    await ada.page.go_back()
    await ada.page.get_by_role("link", name="picture.png").click()
    await expect(ada.page.get_by_text("This is no text.")).to_be_visible()
    await ada.page.goto(top)
    await ada.page.get_by_role("link", name="many").click()
    await expect(ada.page.locator(".pieces li")).to_have_count(200)
    await ada.page.get_by_role("link", name="The next ones").click()
    await ada.page.get_by_role("link", name="The next ones").click()
    await expect(ada.page.locator(".pieces li")).to_have_count(50)
    await look(ada.page, "real-earlier-pages")


async def test_also_while_the_server_is_stopped(course: RunningCourse, ada: Window) -> None:
    """A folder that is gone comes back where it was; each is in the record, of whoever it is, with how it ended."""
    await ada.open("hub/home")
    await ada.page.get_by_role("button", name="Stop it").click()
    await expect(ada.page.get_by_text("Your Jupyter is not running.")).to_be_visible()
    await ada.open("hub/files/earlier")
    await ada.page.locator(".moments a").first.click()
    await ada.page.get_by_role("link", name="week1").click()
    await ada.page.get_by_role("link", name="deep").click()
    await ada.page.get_by_role("button", name="Put this folder back beside today's").click()
    await expect(ada.page.get_by_text("week1/deep is among your files now")).to_be_visible()
    await ada.open("hub/spawn")
    await ada.in_lab()
    assert in_home(course, "print(open('week1/deep/notes.txt').read())") == "as it was"
    kept = [one for one in command(course, "activity")["entries"] if one["kind"] == "restore"]
    assert [(one["who"], one["whom"], one["result"]) for one in kept] == [("ada", "ada", "done")] * 2


async def test_nobody_sees_anothers(browser: Browser, course: RunningCourse, ada: Window) -> None:
    """Another student has nothing there; staff neither, but they see how the backups are."""
    await ada.open("hub/files/earlier")
    url = await ada.page.locator(".moments a").first.get_attribute("href")
    for user in ("bob", "grace"):
        async with window(browser, course.url) as other:
            await choose_password(other, invitation(course, user))
            await other.in_lab()
            answer = await other.page.goto(f"{course.url}{url}")
            assert answer is not None and answer.status == 404
            if user == "grace":
                await other.open("hub/people")
                await expect(other.page.get_by_text("the last good backup is")).to_be_visible()
                await look(other.page, "real-people-backups")
    status = command(course, "status")
    assert status["figures"]["backup"]["good"] > 0
    found = [one["what"] for one in command(course, "doctor") if one["where"] == "[backup]"]
    assert len(found) == 1 and found[0].startswith("the last good backup is")
    assert ada.problems == []
