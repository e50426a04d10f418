"""Bad input to a course that runs: nothing of it is touched, or its people are told what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.waiting import until
from tests.stories.bad_input.conftest import left, refused
from tests.stories.conftest import stop_server
from tests.support.course import PROJECT, RunningCourse, docker, running, write_course
from tests.support.visitor import Visitor

NAME = "test-bad-live"
ENDS_AT_ONCE = r"""FROM debian:trixie-slim
RUN printf '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho the licence has run out >&2\nexit 3\n' > /usr/bin/python3 \
    && chmod +x /usr/bin/python3
"""
"""An image that seems to have Jupyter, and whose Python ends instead of running it."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A course whose project came from Windows: line ends, and a mark of the byte order."""
    folder = tmp_path_factory.mktemp("live")
    project = folder / "project"
    project.mkdir()
    (project / "start.ipynb").write_bytes((PROJECT / "start.ipynb").read_bytes())
    (project / "requirements.txt").write_bytes(b"\xef\xbb\xbf# for lesson 1\r\ntomli-w\r\n\r\n")
    (project / "apt.txt").write_bytes(b"tree\r\n")
    with running(folder, NAME, server=f'project = "{project}"\nmemory = "512M"') as course:
        yield course
    assert left(NAME) == []


async def test_line_ends_of_windows(live: RunningCourse) -> None:
    """Lists of packages that were written on Windows are installed like any other."""
    async with Visitor(live.url) as visitor:
        await visitor.ready()
        assert "[exit 0]" in await visitor.sh("tree --version && python3 -c 'import tomli_w'")
        await stop_server(visitor)


async def test_a_refused_change_touches_nothing(live: RunningCourse) -> None:
    """A running course given an image without Jupyter, or a mistake, goes on as it was, its people's kernels too."""
    before = (live.folder / "firstbell.toml").read_text()
    async with Visitor(live.url) as visitor:
        await visitor.ready()
        kernel = await visitor.kernel()
        await visitor.execute("x = 41", kernel)
        containers = _containers()
        for text, code in (
            (before.replace("project =", "image = 'debian:trixie-slim' #"), 4),
            (before.replace("memory", "memroy"), 2),
        ):
            (live.folder / "firstbell.toml").write_text(text)
            refused(live.cli("up", "--yes", check=False), code)
        (live.folder / "firstbell.toml").write_text(before)
        assert _containers() == containers
        assert (await visitor.execute("print(x + 1)", kernel)).text == "42\n"
        assert "Up to date" in live.cli("up", "--yes").stdout
        await stop_server(visitor)


async def test_a_home_that_somebody_removed(live: RunningCourse) -> None:
    """A start says that the files are gone and makes no empty home; `homes delete` lets the person begin anew."""
    async with Visitor(live.url) as visitor:
        await visitor.ready()
        await visitor.execute("open('mine.txt', 'w').write('x')")
        [home] = [m["Name"] for m in live.server_of(visitor.user)["Mounts"] if m["Type"] == "volume"]
        await stop_server(visitor)
        await until(lambda: _no_server(live), deadline=60)
        docker("volume", "rm", home)
        last = await _last_event(visitor)
        assert last.get("failed"), last
        said = " ".join(map(str, last.values()))
        assert f"firstbell homes delete {visitor.user}" in said
        assert home in said
        assert home not in left(NAME)
        told = live.cli("homes", "delete", visitor.user, "--confirm", visitor.user)
        assert f"{visitor.user} begins anew" in told.stdout
        await visitor.server()
        assert "start.ipynb" in await visitor.sh("ls; test ! -e mine.txt")
        await stop_server(visitor)


async def test_an_image_that_ends_at_once(live: RunningCourse, tmp_path: Path) -> None:
    """Who starts a server sees that it ended, with its exit code and last words; no container stays."""
    (tmp_path / "Dockerfile").write_text(ENDS_AT_ONCE)
    url = write_course(live.folder, NAME, server=f'project = "{tmp_path}"')
    live.up()
    async with Visitor(url) as visitor:
        await visitor.enter()
        last = await _last_event(visitor)
        assert last.get("failed"), last
        said = " ".join(map(str, last.values()))
        assert "the licence has run out" in said
        assert "exit code 3" in said
        assert [name for name in left(NAME) if "-server-" in name] == []
        logs = live.cli("logs", "hub").stdout
        assert "the licence has run out" in logs


async def _last_event(visitor: Visitor) -> dict[str, object]:
    page = await visitor.open("hub/spawn")
    return [event async for event in visitor.progress(page)][-1]


async def _no_server(course: RunningCourse) -> bool:
    return not course.servers()


def _containers() -> dict[str, str]:
    """What runs, helpers apart: they end by themselves."""
    rows = docker("ps", "--filter", f"label=firstbell.course={NAME}", "--format", "{{json .}}").splitlines()
    return {row["Names"]: row["ID"] for row in map(json.loads, rows) if "-helper-" not in row["Names"]}
