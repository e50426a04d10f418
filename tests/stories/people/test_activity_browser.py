"""The record and the plots of use in Chromium: for owner and instructors, as pictures, tables and files."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from firstbell.hub.records import file as record_file
from firstbell.hub.records.chain import END, LOGIN, START
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.hub.term import samples as term_samples
from firstbell.hub.term.samples import Sample, add
from firstbell.model.container import GIB
from tests.browser.look import look
from tests.support.class_hub import ClassHub, class_hub

STUDENTS = [f"student{n:02}" for n in range(24)]
PEOPLE = "grace,Grace Hopper,,instructor,\nalan,Alan Turing,,assistant,A\n" + "".join(
    f"{name},,,student,A\n" for name in STUDENTS
)
DAY = 24 * 3600
PNG = b"\x89PNG\r\n\x1a\n"


def write_term(state: Path) -> None:
    """Three weeks with a lesson on Monday and Thursday, and some who work at home."""
    state.mkdir(parents=True, exist_ok=True)
    chance, today = random.Random(7), time.time() // DAY * DAY
    news: list[New] = []
    for back in range(20, 0, -1):
        day = today - back * DAY
        lesson = time.gmtime(day).tm_wday in {0, 3}
        for name in STUDENTS if lesson else chance.sample(STUDENTS, 4):
            begin = day + (9 if lesson else 17) * 3600 + chance.uniform(0, 1800)
            news += [
                New(LOGIN, "roster", name, name, at=begin - 5),
                New(START, "ready", name, name, "2.1 s", at=begin),
                New(END, "idle", "idle rule", name, at=begin + chance.uniform(1, 3) * 3600),
            ]
    with closing(Record(state / record_file.FILE)) as record:
        record.add(*sorted(news, key=lambda new: new.at or 0.0))
    for n in range(200):
        used = int((1 + n % 40 / 10) * GIB)
        add(state / term_samples.FILE, Sample(today - (200 - n) * 8640, n % 24, used, used + GIB, 8 * GIB), 10_000)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ClassHub]:
    write_term(tmp_path / "state")
    async with class_hub(tmp_path, 231, PEOPLE, seconds=0.05) as hub:
        yield hub


async def window(chromium: Browser, hub: ClassHub, username: str, problems: list[str]) -> Page:
    context = await chromium.new_context()
    jar = hub.browser(username).cookies.jar
    await context.add_cookies(
        [{"name": c.name, "value": c.value or "", "domain": "127.231.0.1", "path": c.path} for c in jar]
    )
    page = await context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return page


async def test_the_record_as_a_page(hub: ClassHub, chromium: Browser, tmp_path: Path) -> None:
    """An instructor sees plots and tables, finds a person, takes plots away as SVG and PNG; assistants see none."""
    expect.set_options(timeout=60_000)
    problems: list[str] = []
    page = await window(chromium, hub, "grace", problems)
    await page.goto(f"{hub.url}/hub/people")
    await page.get_by_role("link", name="Activity").click()
    await expect(page.get_by_role("heading", name="Activity")).to_be_visible()
    for name in ("People whose server ran", "Hours of a person and week", "Memory"):
        await expect(page.get_by_role("img", name=name)).to_be_visible()
    await look(page, "activity")

    for kind, begins in (("SVG", b"<svg"), ("PNG", PNG)):
        async with page.expect_download() as waited:
            await page.locator(".plotted").first.get_by_text(kind, exact=True).click()
        taken = await waited.value
        assert taken.suggested_filename.endswith(f".{kind.lower()}")
        await taken.save_as(tmp_path / taken.suggested_filename)
        assert (tmp_path / taken.suggested_filename).read_bytes().startswith(begins)

    await page.get_by_label("User name").fill("student03")
    await page.get_by_role("combobox", name="What").select_option("ends of servers")
    await page.get_by_role("button", name="Show").click()
    record = page.get_by_role("group", name="The record")
    await expect(record.locator("tbody tr").first).to_contain_text("idle")
    assert {await cell.inner_text() for cell in await record.locator("tbody td:nth-child(4)").all()} == {"student03"}
    await page.goto(f"{hub.url}/hub/activity")
    await page.get_by_role("link", name="Older").click()
    await expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert not problems

    for path in ("activity", "activity/people.svg"):
        assert hub.browser("alan").get(f"/hub/{path}").status_code == 403
        assert hub.browser("student01").get(f"/hub/{path}").status_code == 403
        assert hub.browser("grace").get(f"/hub/{path}?since=yesterday").status_code == 400
