"""Idle servers at a real hub: told of, kept on their person's word, ended politely, and explained afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from firstbell.hub.idle.kept_until import NAME
from firstbell.hub.people.book import open_store
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Line, Record
from tests.support.class_work import ClassWork, class_work
from tests.support.local_hub import wait_for

API = "/hub/api/companion"
HOUR = {"idle": "1h", "idle_notice": 0, "keep_most": "2h"}
RULES = [{"who": "section:B", "idle": "2h"}, {"who": "staff", "idle": 0}]


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[ClassWork]:
    async with class_work(tmp_path, 235, coursework=None, server=HOUR, idle=RULES) as work:
        yield work


def word(server: httpx.Client, age: float, **more: Any) -> dict[str, Any]:
    answer = server.post(f"{API}/use", json={"age": age, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def state(work: ClassWork, user: str) -> str:
    """Of somebody's server, as the wall has it."""
    wall = work.hub.browser("grace").get("/hub/people").text
    return wall.partition(f'"{user}" data-state="')[2].partition('"')[0]


def record(work: ClassWork) -> tuple[Line, ...]:
    with closing(Record(work.hub.hub.folder / "state" / FILE)) as opened:
        return opened.lines()


async def test_an_idle_server_is_ended_and_its_person_reads_why(work: ClassWork) -> None:
    """Not while a cell runs, not before its time; then with words at the next visit, of which the last ones stand."""
    ada = work.server("ada")
    assert word(ada, 1e6, busy="kernel") == {"next": 60}
    assert word(ada, 10)["next"] == 60
    assert word(ada, 3590)["next"] == pytest.approx(10, abs=3)
    assert state(work, "ada") == "in"
    word(ada, 3601, notebooks=["week1/a.ipynb", "\u202eb.ipynb"], terminals=2)
    wait_for(lambda: state(work, "ada") == "absent")
    wait_for(lambda: ("ada", "idle") in [(one.whom, one.what) for one in record(work)])
    page = work.hub.browser("ada").get("/hub/home").text
    assert "as nobody had used it for 1 h. Open were week1/a.ipynb, b.ipynb and 2 terminals." in page
    assert ada.post(f"{API}/use", json={"age": 1}).status_code == 403
    again = work.server("ada")
    assert [one["by"] for one in again.get(API).json()["messages"]] == [""]
    word(again, 3601)
    wait_for(lambda: state(work, "ada") == "absent")
    assert work.hub.browser("ada").get("/hub/home").text.count("Your Jupyter was ended at") == 1


async def test_whoever_is_still_here_or_wants_it_kept_is_heeded(work: ClassWork) -> None:
    """By their server's token, and on a page of the hub; never longer than the course allows, and across restarts."""
    ada = work.server("ada")
    assert ada.post(f"{API}/idle", json={"still": True}).json()["left"] == pytest.approx(3600, abs=5)
    word(ada, 9999)
    told = ada.post(f"{API}/idle", json={"keep": 10**9}).json()
    assert told["left"] == pytest.approx(7200, abs=5) and told["kept"] and 1 <= len(told["offers"]) <= 2
    assert ada.get(API).json()["idle"]["left"] == pytest.approx(7200, abs=5)
    kept = json.loads(open_store(work.hub.hub.folder / "state").kept(NAME) or "")
    assert list(kept) == ["ada"]
    browser = work.hub.browser("ada")
    page = browser.get("/hub/idle").text
    assert "It is kept until" in page and "Keep it until" in page
    assert "Keep it longer" in browser.get("/hub/home").text
    assert work.hub.post(browser, "/hub/idle", keep="0").status_code == 302
    assert ada.get(API).json()["idle"]["kept"] == ""
    assert work.hub.post(browser, "/hub/idle", still="1").status_code == 302
    assert word(ada, 9999)["next"] == 60
    assert state(work, "ada") == "in"


async def test_a_full_memory_is_explained_and_on_record(work: ClassWork) -> None:
    """Its person reads what was ended and what helps, once; the record has the sizes and no name of a file."""
    ada, told = work.server("ada"), {"what": "notebook", "name": "a.ipynb", "used": 2**30, "limit": 2**30}
    for _ in range(3):
        assert ada.post(f"{API}/memory", json=told).status_code == 204
    [message] = ada.get(API).json()["messages"]
    assert "Memory was full (1024 MB of 1024 MB): your notebook a.ipynb was ended" in message["text"]
    wait_for(lambda: [one.words for one in record(work) if one.kind == "limit"] == ["1024 MB of 1024 MB"])
    assert ada.post(f"{API}/memory", json={"what": "x"}).status_code == 400
    assert work.script("none").post(f"{API}/memory", json=told).status_code == 403


async def test_each_has_the_rule_that_is_theirs(work: ClassWork) -> None:
    """A section's own time; staff are never ended; nonsense is refused and ends nobody."""
    bob, grace = work.server("bob"), work.server("grace")
    assert bob.get(API).json()["idle"]["idle"] == 7200
    assert word(bob, 3700)["next"] == 60
    assert grace.get(API).json()["idle"] == {"left": None, "notice": False, "idle": 0, "kept": "", "offers": []}
    assert word(grace, 1e8) == {"next": 60}
    for age in (-1, "x", None, True, 1e99):
        assert bob.post(f"{API}/use", json={"age": age}).status_code == 400
    for nonsense in ({"keep": "x"}, {"keep": -1}, {"keep": True}, {}, {"still": 1}):
        assert bob.post(f"{API}/idle", json=nonsense).status_code == 400
    assert work.script("no-such-token").post(f"{API}/use", json={"age": 9e6}).status_code == 403
    assert (state(work, "bob"), state(work, "grace")) == ("in", "in")
