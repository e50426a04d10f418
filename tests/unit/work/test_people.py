"""The hub's part in the `people` commands, on an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.errors import CourseFileError, StartFailed
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.course import Access, Course, Server
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.model.runtime import ROSTER_FILE
from firstbell.work import people
from firstbell.work.cards import cards_page
from firstbell.work.people import Invitation
from firstbell.work.roster_file import read_roster

HUB = names.container("stats", Role.HUB)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "roster.csv").write_text("username,name\nada,Ada L\nben,Ben\n")
    access = Access(login="roster", roster=tmp_path / "roster.csv", staff=("ada",))
    return Course(name="stats", access=access, server=Server(image="x"))


async def control(process: Process) -> int:
    """A hub's control in small: knows the roster that was put, refuses strangers."""
    if process.argv[0] == "sleep":
        await process.terminated.wait()
        return 0
    verb, _, *users = process.argv[3:]
    listed = [line.split(",")[0] for line in process.read(ROSTER_FILE).decode().splitlines()[1:]]
    if verb == "list":
        answer: object = [{"username": n, "state": "joined", "running": True, "last_seen": None} for n in listed]
    elif strangers := set(users) - set(listed):
        process.say(json.dumps({"error": {"what": f"{strangers} unknown", "next_step": "add"}}))
        return 2
    else:
        answer = [{"username": n, "link": f"http://x/hub/invite/{n}", "new": 1} for n in users]
    process.say(json.dumps(answer))
    return 0


@pytest.fixture
async def hub() -> FakeEngine:
    engine = FakeEngine()
    engine.images["hub"] = ImageState("hub", "sha256:1")
    engine.programs["python3"] = control
    engine.programs["sleep"] = control
    await engine.start(ContainerSpec(HUB, "hub", ("sleep", "infinity"), frozen(names.labels("stats", Role.HUB))))
    return engine


async def test_push_waits_until_the_hub_knows(hub: FakeEngine, course: Course):
    """After a push the hub lists exactly the people of the roster."""
    assert await people.push_roster(hub, course, read_roster(course)) == ""
    lines, why = await people.list_people(hub, course)
    assert why == ""
    assert [(p.username, p.name, p.state, p.running) for p in lines] == [
        ("ada", "Ada L", "joined", True),
        ("ben", "Ben", "joined", True),
    ]


async def test_hub_that_is_down_leaves_the_roster(course: Course):
    """Without a hub the roster alone is listed, and why is said; a push says that it reached nobody."""
    engine = FakeEngine()
    lines, why = await people.list_people(engine, course)
    assert [p.username for p in lines] == ["ada", "ben"]
    assert (lines[0].state, lines[0].running) == ("", None)
    assert why == "the course does not run"
    assert await people.push_roster(engine, course, read_roster(course)) == "the course does not run"


async def test_engine_that_is_away_is_said(course: Course):
    """An engine that does not answer is the reason given, not a crash."""
    engine = FakeEngine()
    engine.away = True
    assert "not available" in (await people.list_people(engine, course))[1]
    assert "not available" in await people.push_roster(engine, course, read_roster(course))


async def test_invitations(hub: FakeEngine, course: Course):
    """Links come back for whom they were asked; the hub's refusal is passed on in its words."""
    await people.push_roster(hub, course, read_roster(course))
    made = await people.invite(hub, course, ["ben"])
    assert made == (Invitation("ben", "", "", "", "http://x/hub/invite/ben", ""),)
    with pytest.raises(CourseFileError, match="unknown"):
        await people.invite(hub, course, ["zoe"])


async def test_invitation_needs_a_running_course(course: Course):
    """Without a hub nobody can be invited, and the next command is named."""
    with pytest.raises(StartFailed) as caught:
        await people.invite(FakeEngine(), course, ["ada"])
    assert "firstbell up" in caught.value.next_step


async def test_names_are_never_options(hub: FakeEngine, course: Course):
    """A user name that looks like an option is passed as a name."""
    await people.push_roster(hub, course, read_roster(course))
    with pytest.raises(CourseFileError, match="--json"):
        await people.reset(hub, course, ["--json"])


async def test_answer_that_is_none_shows_what_was_printed(hub: FakeEngine, course: Course):
    """A control that crashes is reported with its last lines."""

    async def crash(process: Process) -> int:
        process.complain("Traceback: boom")
        return 1

    hub.programs["python3"] = crash
    with pytest.raises(StartFailed) as caught:
        await people.invite(hub, course, ["ada"])
    assert "Traceback: boom" in caught.value.evidence


def test_cards_escape_and_paginate():
    """Eight cards to a sheet, each with name, link and its QR code; no name can bring markup with it."""
    made = [
        Invitation(f"u{n}", "<b>Eve</b>", "", "A", f"https://a.example/hub/invite/{n}", "2026-12-01T00:00:00Z")
        for n in range(9)
    ]
    page = cards_page("Stats & more", made)
    assert page.count('<section class="sheet">') == 2
    assert page.count("<svg") == 9
    assert "user name: <b>u8</b>" in page
    assert "<b>Eve" not in page
    assert "&lt;b&gt;Eve" in page
    assert "Stats &amp; more" in page
    assert "https://a.example/hub/invite/8" in page
    assert "until 2026-12-01" in page
