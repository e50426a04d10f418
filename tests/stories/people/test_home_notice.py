"""How full homes and the disk are, as a real hub tells it: to their people, to staff, in the record, on the pages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from firstbell.hub.backups.vault_book import VaultBook
from firstbell.hub.homes.uses import FILE as USES
from firstbell.hub.homes.uses import read_home_uses
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Record
from firstbell.model.backup_report import BackupReport
from firstbell.model.secret import Secret
from tests.browser.look import look
from tests.support.class_work import ClassWork, class_work
from tests.support.disk import MIB, filled, small_disk
from tests.support.local_hub import wait_for

API = "/hub/api/companion"
GIB = 1024**3
TOLD = {"size": GIB, "files": 10, "whole": True, "free": GIB, "full": False, "rescue": False}


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[ClassWork]:
    async with class_work(tmp_path, 238, coursework=None) as work:
        yield work


async def test_what_a_home_holds_is_told_to_who_should_know(work: ClassWork) -> None:
    """Its person reads sizes, and words of a full home; staff see it on the wall and their page; recorded once."""
    ada, grace = work.server("ada"), work.hub.browser("grace")
    mine = work.hub.browser("ada")

    def tells(**home: object) -> None:
        assert ada.post(f"{API}/use", json={"age": 1, "home": TOLD | home}).status_code == 200

    tells()
    assert "Your files: 1 GB." in mine.get("/hub/home").text
    assert "the home is full" not in grace.get("/hub/people").text
    for _ in range(3):
        tells(full=True)
    assert "Your home is full (1 GB in 10 files)" in mine.get("/hub/home").text
    assert "Your home is full" not in work.hub.browser("bob").get("/hub/home").text
    wait_for(lambda: "the home is full: 1 GB in 10 files" in grace.get("/hub/people").text)
    assert "1 GB in 10 files" in grace.get("/hub/people/of/ada").text
    assert ada.post(f"{API}/use", json={"age": 1, "home": {"size": "much"}}).status_code == 200

    def recorded() -> list[str]:
        with closing(Record(work.hub.hub.folder / "state" / FILE)) as opened:
            return [line.words for line in opened.lines() if (line.kind, line.whom) == ("limit", "ada")]

    wait_for(lambda: recorded() == ["full: 1 GB in 10 files"])
    assert "ada" in read_home_uses(work.hub.hub.folder / "state" / USES)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
async def test_a_disk_that_is_nearly_full_is_said_to_staff(tmp_path: Path, chromium: Browser) -> None:
    """In time: while there is room to act. Students read nothing of it."""
    with small_disk(tmp_path, 96 * MIB) as disk:
        backup = {"to": str(disk / "kept"), "password": Secret("env:P", "a secret word")}
        async with class_work(disk, 239, coursework=None, backup=backup) as work:
            with closing(VaultBook(disk / "state")) as book:
                book.tell(BackupReport(every=3600, stored=2 * GIB))
            grace, ada = work.hub.browser("grace"), work.hub.browser("ada")
            assert "disk is nearly full" not in grace.get("/hub/people").text
            with filled(disk, room=5 * MIB):
                said = grace.get("/hub/people").text
                assert "disk is nearly full" in said
                assert f"This machine also keeps backups: 2.0 GB in {disk / 'kept'}." in said
                assert "disk is nearly full" not in ada.get("/hub/home").text
                context = await chromium.new_context()
                await context.add_cookies(
                    [
                        {"name": c.name, "value": c.value or "", "domain": "127.239.0.1", "path": c.path}
                        for c in grace.cookies.jar
                    ]
                )
                page = await context.new_page()
                await page.goto(f"{work.hub.url}/hub/people")
                await expect(page.get_by_text("disk is nearly full")).to_be_visible()
                await look(page, "disk-low")
