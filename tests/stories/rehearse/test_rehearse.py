"""`firstbell rehearse` on a running seminar: a crowd comes, is measured, and has never been there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import Visit
from tests.support.course import FIRSTBELL, RunningCourse, docker
from tests.support.visitor import Visitor

PEOPLE = 8


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearsals of the test are kept in its own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def rehearse(course: RunningCourse, *words: str) -> dict[str, Any]:
    """Run it to a yes; what it says."""
    command = ("rehearse", "--people", str(PEOPLE), "--within", "4s", "--patience", "5min", "--pause", "0.1s")
    told: dict[str, Any] = json.loads(course.cli(*command, "--yes", "--json", *words).stdout)
    return told


def users(course: RunningCourse) -> set[str]:
    """Whose servers there are."""
    return {server["Config"]["Labels"]["firstbell.user"] for server in course.servers()}


def homes(course: RunningCourse) -> set[str]:
    """The volumes of homes."""
    filters = ("--filter", f"label=firstbell.course={course.name}", "--filter", "label=firstbell.role=home")
    return set(docker("volume", "ls", "-q", *filters).split())


async def test_a_crowd_comes_is_measured_and_was_never_there(seminar: RunningCourse, visit: Visit, tmp_path: Path):
    """Everybody gets to a result; report and numbers are written; servers, homes and seat numbers are as before."""
    real = await visit()
    before = users(seminar), homes(seminar)
    refused = seminar.cli("rehearse", "--people", "50", check=False)
    assert refused.returncode == 8
    assert "1 person is in" in refused.stderr and "room holds 40" in refused.stderr

    told = rehearse(seminar, "--out", str(tmp_path / "report"))
    assert told["verdict"]["is_yes"], told
    reached = {stage["stage"]: stage["count"] for stage in told["stages"]}
    assert {reached[s] for s in ("lab", "files", "calls", "notebook", "kernel", "first_cell", "cells")} == {PEOPLE}
    assert told["failed"] == [] and not told["client_was_measured"]
    assert told["cost"]["servers"] == PEOPLE
    assert 20 * 2**20 < told["cost"]["server_memory"] < 300 * 2**20
    assert told["cost"]["hub_cpu"] > 0 and told["cost"]["server_cpu"] > 0
    assert told["received"] > 500_000  # the page's scripts were fetched, not only its HTML
    assert len((tmp_path / "report/people.csv").read_text().splitlines()) == PEOPLE + 1
    assert f"{PEOPLE} people: yes." in (tmp_path / "report/report.html").read_text()

    assert (users(seminar), homes(seminar)) == before
    assert (await real.execute("1 + 1")).text == "2"
    async with Visitor(seminar.url) as next_one:
        await next_one.enter()
        page = await next_one.open("hub/home")
        assert f"seat-{int(real.user[5:]) + 1:03d}" in page.text


async def test_cut_off_anywhere_nothing_is_left(seminar: RunningCourse, tmp_path: Path):
    """Ctrl-C clears away by itself; after a kill the clients are gone at once, and `--clean-up` removes the rest."""
    before = users(seminar), homes(seminar)

    async def under_way(number: signal.Signals) -> int:
        process = await asyncio.create_subprocess_exec(
            FIRSTBELL, "rehearse", "--people", "6", "--within", "2s", "--yes",
            cwd=seminar.folder, env=os.environ, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await until(_true(lambda: len(users(seminar) - before[0]) >= 2), deadline=240, first=0.2, longest=0.5)
        finally:
            process.send_signal(number)
        return await asyncio.wait_for(process.wait(), 240)

    assert await under_way(signal.SIGINT) == 130
    assert (users(seminar), homes(seminar)) == before

    assert await under_way(signal.SIGKILL) == -signal.SIGKILL
    assert users(seminar) > before[0]
    told = json.loads(seminar.cli("rehearse", "--clean-up", "--json").stdout)
    assert told["removed"] >= 2
    assert (users(seminar), homes(seminar)) == before
    assert json.loads(seminar.cli("rehearse", "--clean-up", "--json").stdout)["removed"] == 0


def _true(condition: Any) -> Any:
    async def ask() -> bool:
        return bool(condition())

    return ask
