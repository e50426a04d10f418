"""Homes get their limits: new ones before their first start, the others as the hub starts, none where nothing can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.hub.homes import projects as home_projects
from firstbell.hub.homes.projects import FILE, ON_FILE_SERVER, HomeProjects
from firstbell.model.container import VolumeSpec
from firstbell.model.course import Course
from firstbell.model.names import Role, home, labels, volume
from firstbell.model.observed import ImageState
from firstbell.plan.home import home_volume

MIB = 1024**2


def course(**homes: Any) -> Course:
    return Course.model_validate({"name": "demo", "server": {"image": "x"}, "homes": homes})


class Disk:
    """What the container's program finds."""

    def __init__(self) -> None:
        self.why = ""
        self.asked: list[tuple[str, ...]] = []

    async def program(self, process: Any) -> int:
        words = tuple(process.argv[3:])
        self.asked.append(words)
        folders = words[1:] if words[0] == "look" else words[3:]
        process.say(json.dumps(dict.fromkeys(folders, self.why)))
        return 0


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def engine(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeEngine]:
    monkeypatch.setattr(home_projects, "PAUSE", 0.0)
    engine = FakeEngine()
    engine.images["x"] = ImageState("x", "sha256:1")
    engine.programs["python3"] = disk.program
    await engine.ensure_volume(VolumeSpec(volume("demo", Role.STATE), labels("demo", Role.STATE)))
    yield engine
    await engine.close()


def limited(disk: Disk) -> list[tuple[str, ...]]:
    return [words for words in disk.asked if words[0] == "limit"]


async def test_all_homes_that_are_there_get_the_limits(engine: FakeEngine, disk: Disk, tmp_path: Path) -> None:
    """Volumes that exist, and none by its name alone, which would make it; in a few containers."""
    made = course(quota="20M", files=300)
    users = [f"user{n}" for n in range(25)]
    for user in users:
        await engine.ensure_volume(home_volume(made, user))
    projects = HomeProjects(made, engine, "x", lambda: [*users, "gone"], tmp_path)
    assert projects.standing() == {"enforced": None, "why": ""}
    await projects.keep()
    assert [words[1:3] for words in limited(disk)] == [(str(20 * MIB), "300")] * 2
    named = [folder for words in limited(disk) for folder in words[3:]]
    assert sorted(named) == sorted(f"/homes/{home('demo', user)}" for user in users)
    assert projects.standing() == {"enforced": True, "why": ""} and (tmp_path / FILE).exists()
    await engine.ensure_volume(home_volume(made, "new"))
    await projects.limit("new")
    assert limited(disk)[-1][3:] == (f"/homes/{home('demo', 'new')}",)


async def test_limits_are_taken_back(engine: FakeEngine, disk: Disk, tmp_path: Path) -> None:
    """A course that no longer has any sets none, once; one that never had asks nothing."""
    made = course()
    await engine.ensure_volume(home_volume(made, "ada"))
    await HomeProjects(made, engine, "x", list, tmp_path).keep()
    assert not disk.asked
    (tmp_path / FILE).touch()
    for _ in range(2):
        await HomeProjects(made, engine, "x", list, tmp_path).keep()
    assert [words[1:3] for words in limited(disk)] == [("0", "0")] and not (tmp_path / FILE).exists()


async def test_where_nothing_can_it_is_said_once_and_nobody_waits(engine: FakeEngine, disk: Disk) -> None:
    """No container for a new home, and why in words; on a file server without even looking."""
    disk.why = "its file system has no project quotas"
    projects = HomeProjects(course(quota="20M"), engine, "x", list)
    await projects.keep()
    await projects.limit("new")
    assert [words[0] for words in disk.asked] == ["look"]
    assert projects.standing() == {"enforced": False, "why": disk.why}
    disk.asked.clear()
    served = HomeProjects(course(quota="20M", store="nfs://files/x"), engine, "x", list)
    await served.keep()
    assert served.standing()["why"] == ON_FILE_SERVER and not disk.asked


async def test_a_failure_keeps_nobody_out(engine: FakeEngine) -> None:
    """An engine that is away, or an image without Python, is no reason to fail a start."""
    engine.images.clear()
    projects = HomeProjects(course(quota="20M"), engine, "x", list)
    await projects.keep()
    await projects.limit("ada")
