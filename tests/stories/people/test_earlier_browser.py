"""Earlier files and how the backups are, in Chromium, on a hub without containers; see tests/browser for the whole."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from firstbell.backup.orders import FILE, Orders, State, What
from firstbell.hub.backups.vault_book import VaultBook
from firstbell.model import names
from firstbell.model.backup import Kind, Snapshot, Subject
from firstbell.model.backup_report import BackupReport
from firstbell.model.secret import Secret
from tests.browser.look import look
from tests.support.class_hub import ClassHub, class_hub

PEOPLE = "grace,Grace Hopper,,instructor,\nada,Ada Lovelace,,student,A\n"
HOSTILE = "<img src=x onerror=\"document.title='taken'\">\u202efdp.exe"
LONG = "a-very-long-name-without-any-place-to-break-it-" * 4 + ".ipynb"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": "# Squares\n<script>document.title='taken'</script>"},
        {"cell_type": "code", "source": "print(2 ** 2)\n" + "x" * 300, "outputs": [{"text": "4\n"}]},
    ]
}
NOW = 1_795_300_000.0
IDS = [f"{n:064x}" for n in range(30)]


def looks() -> dict[str, Any]:
    home = f"/homes/{names.home('class', 'ada')}/"
    text = json.dumps(NOTEBOOK).encode()
    entries = [
        {"name": "week1", "type": "dir", "size": 0},
        {"name": HOSTILE, "type": "file", "size": 2_400_000},
        {"name": LONG, "type": "file", "size": 10},
        {"name": "bad\ufffd", "type": "file", "size": 1},
        {"name": "squares.ipynb", "type": "file", "size": len(text)},
    ]
    shown = {"entry": entries[-1], "data": base64.b64encode(text).decode()}
    folder = {"total": 5, "is_all": True, "entries": entries}
    many = {"total": 450, "is_all": True, "entries": entries[2:]}
    return {
        "list": {IDS[0]: {home: folder, f"{home}week1": many}},
        "show": {IDS[0]: {f"{home}squares.ipynb": shown}},
    }


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ClassHub]:
    """With a month of backups of one student."""
    backup = {"to": "rest:https://backup.example.org/class", "password": Secret("env:P", "a secret word")}
    (tmp_path / "looks.json").write_text(json.dumps(looks()))
    async with class_hub(tmp_path, 95, PEOPLE, backup=backup) as made:
        snapshots = [
            Snapshot(identity, NOW - n * 20_000, "class", Subject(Kind.HOME, "ada"), "1", n != 3)
            for n, identity in enumerate(IDS)
        ]
        VaultBook(tmp_path / "state").know(snapshots)
        yield made


async def page_of(chromium: Browser, hub: ClassHub, user: str, problems: list[str]) -> Page:
    browser = await asyncio.to_thread(hub.browser, user)
    context = await chromium.new_context()
    await context.add_cookies(
        [{"name": c.name, "value": c.value or "", "domain": "127.95.0.1", "path": c.path} for c in browser.cookies.jar]
    )
    page = await context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return page


async def test_dates_folders_and_a_notebook(chromium: Browser, hub: ClassHub) -> None:
    """By links alone, with nothing that shuts anybody out, on a phone too; what is hostile is text."""
    problems: list[str] = []
    page = await page_of(chromium, hub, "ada", problems)
    orders = Orders(hub.hub.folder / "state" / FILE)
    for path, state, words, place in (
        ("week0", State.FAILED, "the machine's disk has no room for so much", ""),
        (f"{HOSTILE}", State.DONE, "", f"{HOSTILE} (2026-11-20 14.00)"),
    ):
        order = orders.add(What.RESTORE, {"user": "ada", "path": path}, "ada")
        orders.end(order.id, state, words, {"place": place} if place else {})
    await page.goto(f"{hub.url}/hub/home")
    await page.get_by_role("link", name="My files, earlier").click()
    await look(page, "earlier")
    await page.locator(".moments a").first.click()
    await look(page, "earlier-folder")
    await page.get_by_role("link", name="week1").click()
    await expect(page.get_by_text("1 to 3 of 450.")).to_be_visible()
    await look(page, "earlier-pages")
    await page.get_by_role("link", name="Your files").click()
    await page.get_by_role("link", name="squares.ipynb").click()
    await expect(page.locator("pre.of-words")).to_contain_text("<script>")
    await look(page, "earlier-file")
    await page.get_by_role("button", name="Put it back beside today's").click()
    await expect(page.get_by_text("Putting squares.ipynb back")).to_be_visible()
    order_ = orders.last(What.RESTORE)
    assert order_ is not None and order_.is_open and order_.wish["path"] == "squares.ipynb"
    orders.end(order_.id, State.DONE, "", {"place": "squares.ipynb"})
    await expect(page.get_by_text("squares.ipynb is among your files now")).to_be_visible()
    assert await page.title() == "My files, earlier · Numbers" and problems == []


async def test_staff_read_how_the_backups_are(chromium: Browser, hub: ClassHub) -> None:
    """One line while all is well; loudly when not."""
    problems: list[str] = []
    page = await page_of(chromium, hub, "grace", problems)
    book = VaultBook(hub.hub.folder / "state")
    good = BackupReport(every=1e9, since=1, good=NOW, homes=20, stored=2_500_000_000, grown=40_000_000)
    book.tell(good)
    await page.goto(f"{hub.url}/hub/people")
    await look(page, "people-backups")
    book.tell(BackupReport(every=3600, since=1, good=1, failure="the storage is full", lacking=("ada", "bob")))
    await page.reload()
    await expect(page.locator(".backups")).to_have_count(2)
    await look(page, "people-backups-late")
    assert problems == []
