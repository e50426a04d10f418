"""The companion in a real JupyterLab, of which nothing was installed: messages, memory, handing in; and what it may."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from playwright.async_api import Page, expect

from .conftest import wait_for
from .test_browser import lab_of, run_a_cell

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
RECEIPT = "3f5a9c0de1b24c77" * 4
NEWS: dict[str, Any] = {
    "messages": [{"id": 7, "text": "We meet in room <b>12</b>.", "by": "Grace", "at": "2026-11-21 14:05"}],
    "assignments": [
        {"name": "lab1", "due": "2026-12-01 12:00", "state": "open", "handed_in": "", "receipt": "", "left": 7530},
        {"name": "lab2", "due": "", "state": "open", "handed_in": "", "receipt": ""},
    ],
    "links": {"coursework": "/hub/coursework", "home": "/hub/home"},
    "memory": {"limit": 1 << 40},
}


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A machine that does other things, too, is waited for."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


class Desk:
    """The hub's half, as the test wishes it: files that the story's hub reads, and a log that it writes."""

    def __init__(self, hub: Any, user: str) -> None:
        self.work: Path = hub.work
        self.user = user
        self.says("news", "GET", NEWS)

    def says(self, what: str, method: str, answer: Any, status: int = 200) -> None:
        file = self.work / f"companion-{what}-{method}-{self.user}.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"status": status, "answer": answer}))
        part.replace(file)

    def told(self, path: str) -> list[dict[str, Any]]:
        """What this user's server has asked or told there."""
        file = self.work / "companion.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["path"] == path and line["user"] == self.user]


async def look(page: Page, name: str) -> None:
    """A picture for whoever wants to see it: `FIRSTBELL_PICTURES=FOLDER`."""
    if folder := os.environ.get("FIRSTBELL_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


def a_notebook(hub: Any, user: str, path: str) -> None:
    file = hub.work / "homes" / user / path
    file.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")], metadata=kernel), file)


async def test_a_message_arrives_and_having_read_it_is_told(hub: Any) -> None:
    """A message of staff is a notification of plain text; "Got it" reaches the hub, for its reader alone."""
    desk = Desk(hub, "ida")
    desk.says("read", "POST", {}, 200)
    async with lab_of(hub, "ida") as page:
        toast = page.locator(".jp-toast-message", has_text="We meet in room <b>12</b>.")
        await expect(toast).to_be_visible()
        await expect(page.locator(".firstbell-status")).to_contain_text(
            re.compile(r"Mem \d+ of 1048576 MB · lab1 due in 2 h")
        )
        await look(page, "message")
        await page.click(".jp-toast-button:has-text('Got it')")
        await asyncio.to_thread(wait_for, lambda: desk.told("/read"))
        assert [told["body"] for told in desk.told("/read")] == [{"ids": [7]}]
        await expect(toast).to_have_count(0)


async def test_handing_in_shows_the_hubs_receipt(hub: Any) -> None:
    """The notebook's own button saves what is open, has the hub take it, and shows its receipt."""
    desk = Desk(hub, "jo")
    desk.says("news", "GET", NEWS | {"messages": []})
    desk.says("hand-in", "POST", {"task": 41}, 202)
    desk.says("hand-in", "GET", {"state": "doing", "words": ""})
    a_notebook(hub, "jo", "assignments/lab1/task.ipynb")
    a_notebook(hub, "jo", "mine/other.ipynb")
    async with lab_of(hub, "jo") as page:
        await page.goto(f"{hub.url}/user/jo/lab/tree/mine/other.ipynb")
        await page.wait_for_selector(".jp-Notebook .cm-content")
        await expect(page.locator(".lm-MenuBar-itemLabel:has-text('Course')")).to_be_visible()
        await expect(page.locator(".firstbell-hand-in")).to_have_count(0)
        await page.goto(f"{hub.url}/user/jo/lab/tree/assignments/lab1/task.ipynb")
        await expect(page.locator("#jp-main-dock-panel .lm-mod-current", has_text="task.ipynb")).to_be_visible()
        await type_into_the_notebook(page, " # mine")
        await page.locator(".firstbell-hand-in").first.click()
        await expect(page.locator(".jp-Dialog-header")).to_contain_text("Hand in lab1?")
        await expect(page.locator(".jp-Dialog-body")).to_contain_text("Due 2026-12-01 12:00, in 2 h 5 min.")
        await look(page, "sure")
        await page.click(".jp-Dialog .jp-mod-accept")
        await expect(page.locator(".jp-toast-message", has_text="Handing in lab1")).to_be_visible()
        assert "# mine" in (hub.work / "homes/jo/assignments/lab1/task.ipynb").read_text()
        done = {
            "state": "done",
            "words": "",
            "receipt": RECEIPT,
            "time": "2026-11-21 14:05",
            "files": ["a.py", "b.csv", "task.ipynb"],
        }
        desk.says("hand-in", "GET", done)
        await expect(
            page.locator(".jp-toast-message", has_text="lab1 is handed in (3 files, 2026-11-21 14:05)")
        ).to_be_visible()
        await look(page, "handed-in")
        await page.click(".jp-toast-button:has-text('Receipt')")
        await expect(page.locator(".jp-Dialog-body")).to_contain_text(RECEIPT)
        await look(page, "receipt")
        assert [told["body"] for told in desk.told("/hand-in") if "body" in told] == [{"assignment": "lab1"}]
        assert {told["task"] for told in desk.told("/hand-in")} == {None, "41"}


async def type_into_the_notebook(page: Page, text: str) -> None:
    """At the end of the first cell of the notebook in front; others may be open behind it."""
    front = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    idle = front.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    await expect(idle).to_be_visible(timeout=60_000)
    cell = front.locator(".jp-Notebook .cm-content").first
    await cell.click()
    await page.keyboard.press("End")
    await page.keyboard.type(text)
    await expect(cell).to_contain_text(text.strip())


async def test_what_cannot_be_saved_is_not_handed_in(hub: Any) -> None:
    """Where Lab fails to save what is open in the folder, nothing older is handed in in its place."""
    desk = Desk(hub, "nat")
    desk.says("news", "GET", NEWS | {"messages": []})
    a_notebook(hub, "nat", "assignments/lab1/task.ipynb")
    async with lab_of(hub, "nat") as page:
        await page.goto(f"{hub.url}/user/nat/lab/tree/assignments/lab1/task.ipynb")
        await type_into_the_notebook(page, " # mine")
        full = {"status": 507, "json": {"message": "No space left on device"}}
        await page.route(
            re.compile("/api/contents/.*task.ipynb"),
            lambda route: route.fulfill(**full) if route.request.method == "PUT" else route.continue_(),
        )
        await page.locator(".firstbell-hand-in").first.click()
        await page.click(".jp-Dialog .jp-mod-accept:has-text('Hand In')")
        await expect(page.locator(".jp-Dialog-header", has_text="File Save Error")).to_be_visible()
        await expect(page.locator(".jp-toast-message", has_text="task.ipynb could not be saved")).to_be_visible()
        assert desk.told("/hand-in") == []


async def test_a_refused_hand_in_says_why_and_a_hub_that_is_away_disturbs_nobody(hub: Any) -> None:
    """From the palette's command: the hub's own words on a no, an honest word without it, and no dialogs unasked."""
    desk = Desk(hub, "kim")
    desk.says("news", "GET", NEWS | {"messages": [], "assignments": NEWS["assignments"][:1]})
    desk.says("hand-in", "POST", {"error": "What you have just handed in is still being taken."}, 409)
    async with lab_of(hub, "kim") as page:
        await hand_in_by_menu(page)
        await expect(page.locator(".jp-toast-message", has_text="still being taken")).to_be_visible()
        for what, method in (("hand-in", "POST"), ("news", "GET")):
            desk.says(what, method, {}, 503)
        await hand_in_by_menu(page)
        words = "There is no receipt for lab1 yet. Handing in twice harms nothing."
        await expect(page.locator(".jp-toast-message", has_text=words)).to_be_visible()
        await expect(page.locator(".firstbell-status")).to_have_attribute("title", re.compile("hub does not answer"))
        await expect(page.locator(".jp-Dialog")).to_have_count(0)
        await expect(page.locator(".lm-MenuBar-itemLabel:has-text('Course')")).to_be_visible()


async def hand_in_by_menu(page: Page) -> None:
    await page.click(".lm-MenuBar-itemLabel:has-text('Course')")
    await page.click(".lm-Menu-itemLabel:has-text('Hand In')")
    await page.click(".jp-Dialog .jp-mod-accept")


async def test_a_course_without_anything_to_tell_looks_as_before(hub: Any) -> None:
    """Without a word of the hub's there are no menu, no notifications and no errors in the page; memory is shown."""
    async with lab_of(hub, "lea") as page:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.reload()
        await expect(page.locator(".firstbell-status")).to_contain_text(re.compile(r"Mem \d+"), timeout=60_000)
        await expect(page.locator(".lm-MenuBar-itemLabel:has-text('Course')")).to_have_count(0)
        await expect(page.locator(".jp-toast-message")).to_have_count(0)
        assert not [text for text in errors if "irstbell" in text]


async def test_staff_in_somebodys_server_act_for_nobody(hub: Any) -> None:
    """An admin in ida's server is told nothing of ida's, and can neither read nor hand in in her name."""
    desk = Desk(hub, "ida")
    await asyncio.to_thread(hub.with_server, "ida")
    told = len(desk.told(""))
    api = hub.api("POST", "/users/head/tokens", json={"scopes": ["access:servers"]})
    staff = {"Authorization": f"token {api.json()['token']}"}
    url = f"{hub.url}/user/ida/firstbell/companion"
    async with httpx.AsyncClient(headers=staff) as http:
        news = (await http.get(url)).json()
        assert news["own"] is False and set(news) == {"own", "memory"}
        for path, body in (("/read", {"ids": [7]}), ("/hand-in", {"assignment": "lab1"})):
            answer = await http.post(url + path, json=body)
            assert answer.status_code == 403 and "ida's server" in answer.json()["message"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(url, headers={"Sec-Fetch-Mode": "cors"})).status_code == 403
    assert len(desk.told("")) == told


def test_looking_for_news_keeps_no_server_alive(server: Any, fake_hub: Any) -> None:
    """A page that only looks is no activity; a hub that goes away, and comes back, is said and passes."""
    with fake_hub:
        server.up()
        used = server.get("api/status").json()["last_activity"]
        for path in ("firstbell/companion", "firstbell/companion/hand-in?task=1"):
            assert server.get(path).status_code == 200
    news = server.get("firstbell/companion")
    assert (news.status_code, news.json()["away"]) == (200, True)
    refused = server.get("firstbell/companion/hand-in?task=1")
    assert (refused.status_code, refused.json()["away"]) == (503, True)
    assert server.get("firstbell/companion/hand-in?task=../x").status_code == 400
    with fake_hub:
        assert server.get("firstbell/companion").json()["away"] is False
        assert server.get("api/status").json()["last_activity"] == used


def test_the_script_is_everybodys_and_for_good(server: Any, fake_hub: Any) -> None:
    """The page's own entry leads to the script, without a login and compressed; another content has another path."""
    with fake_hub:
        server.up()
        told = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', server.get("lab").text, re.DOTALL)
        assert told
        config = json.loads(told[1])
        [entry] = [one for one in config["federated_extensions"] if one["name"] == "@firstbell/companion"]
        url = httpx.URL(server.url).join(f"{config['fullLabextensionsUrl']}/{entry['name']}/{entry['load']}")
        answer = httpx.get(url)
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
        assert "immutable" in answer.headers["cache-control"]
        assert "_JUPYTERLAB" in answer.text
        assert httpx.get(f"{server.url}firstbell/companion/{'0' * 31}.js").status_code in {302, 403, 404}


async def test_without_it_all_still_works(hub: Any) -> None:
    """Where its script does not come, or it is switched off as any extension, Lab opens and runs as it did."""
    Desk(hub, "ola")
    async with lab_of(hub, "ola") as page:
        await page.route("**/firstbell/companion/*.js", lambda route: route.abort())
        await page.reload()
        await page.wait_for_selector(".jp-Launcher", timeout=60_000)
        await run_a_cell(page)
        await expect(page.locator(".firstbell-status")).to_have_count(0)
        await page.unroute("**/firstbell/companion/*.js")
        off = hub.work / "homes/ola/.jupyter/labconfig/page_config.json"
        off.parent.mkdir(parents=True)
        off.write_text(json.dumps({"disabledExtensions": {"@firstbell/companion:plugin": True}}))
        async with page.expect_response("**/firstbell/companion/*.js"):
            await page.reload()
        await page.wait_for_selector(".jp-Notebook-ExecutionIndicator", timeout=60_000)
        await expect(page.locator(".firstbell-status")).to_have_count(0)
        off.unlink()
        await page.reload()
        await expect(page.locator(".firstbell-status")).to_contain_text("Mem")


async def test_a_page_of_notebook_7_has_it_too(hub: Any) -> None:
    """Notebook's pages take the same extension: its messages and, in an assignment's folder, its button."""
    desk = Desk(hub, "mia")
    desk.says("news", "GET", NEWS | {"memory": {"limit": 1 << 20}})
    desk.says("hand-in", "POST", {"error": "The course is over."}, 400)
    a_notebook(hub, "mia", "assignments/lab1/task.ipynb")
    async with lab_of(hub, "mia") as page:
        await page.goto(f"{hub.url}/user/mia/notebooks/assignments/lab1/task.ipynb")
        await expect(page.locator(".jp-toast-message", has_text="We meet in room")).to_be_visible()
        await expect(page.locator(".jp-toast-message", has_text="Memory is nearly full")).to_be_visible()
        await page.locator(".firstbell-hand-in").first.click()
        await page.click(".jp-Dialog .jp-mod-accept")
        await expect(page.locator(".jp-toast-message", has_text="not handed in. The course is over.")).to_be_visible()
        await look(page, "notebook")
