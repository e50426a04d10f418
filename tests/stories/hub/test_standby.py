"""A container that waits for the next visitor of a real course: taken by them, replaced, gone with hub and course."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from firstbell.engine.waiting import until
from firstbell.model.names import is_standby
from tests.support.course import RunningCourse, docker, running
from tests.support.visitor import Visitor

NAME = "test-standby"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar in which one container waits."""
    access = 'login = "seminar"\nstandby = 1'
    with running(tmp_path_factory.mktemp("course"), NAME, access=access, server='memory = "256M"') as up:
        yield up


def waiting() -> list[str]:
    """The names of the containers that wait."""
    found = docker("ps", "-a", "--filter", f"label=firstbell.course={NAME}", "--format", "{{.Names}}").split()
    return [name for name in found if is_standby(NAME, name)]


def homes() -> list[str]:
    """Whose homes there are."""
    filters = ("--filter", f"label=firstbell.course={NAME}", "--filter", "label=firstbell.role=home")
    return sorted(docker("volume", "ls", *filters, "--format", '{{.Label "firstbell.user"}}').split())


async def one_waits() -> dict[str, Any]:
    """`docker inspect` of the one that waits."""

    async def look() -> dict[str, Any] | None:
        names = await asyncio.to_thread(waiting)
        found = json.loads(docker("inspect", *names, check=False) or "[]") if len(names) == 1 else []
        return found[0] if found and found[0]["State"]["Running"] else None

    found: dict[str, Any] = await until(look, deadline=60)
    return found


async def test_the_next_visitor_gets_it_and_nothing_of_it_shows(course: RunningCourse) -> None:
    """Before: no server, no home, nothing secret. After: that very container is theirs, files and cells and all."""
    before = await one_waits()
    assert course.servers() == []
    status = json.loads(course.cli("status", "--json").stdout)
    assert (status["servers"], status["homes"]) == ([], 0)
    assert json.loads(course.cli("homes", "list", "--json").stdout) == []
    async with await Visitor(course.url).ready() as visitor:
        [server] = course.servers()
        assert server["Id"] == before["Id"]
        assert server["Config"]["Labels"]["firstbell.user"] == visitor.user
        assert (await visitor.execute("6 * 7")).text == "42"
        assert "start.ipynb" in await visitor.sh("ls ~")
        after = await one_waits()
        assert after["Id"] != before["Id"]
        assert (await visitor.execute("6 * 7")).text == "42"
        shown = json.dumps(json.loads(docker("inspect", server["Id"])))
        assert "JUPYTERHUB" not in shown, "a token where everybody can read it"


async def test_a_hub_that_is_killed_leaves_none_and_makes_another(course: RunningCourse) -> None:
    """What waited ends with its hub; the next one clears it away, home and all, and gives the same number again."""
    before = await one_waits()
    user, there = before["Config"]["Labels"]["firstbell.user"], homes()
    docker("kill", course.container("hub"))
    docker("start", course.container("hub"))

    async def replaced() -> bool:
        return bool((await one_waits())["Id"] != before["Id"])

    await until(replaced, deadline=60)
    assert homes() == there
    async with await Visitor(course.url).ready() as visitor:
        assert visitor.user == user


async def test_down_removes_what_waits(course: RunningCourse) -> None:
    """And `up` begins with a new one; homes of people stay."""
    await one_waits()
    course.cli("down", "--yes")
    assert waiting() == []
    course.up()
    await one_waits()
