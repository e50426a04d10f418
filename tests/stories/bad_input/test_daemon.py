"""The daemon goes away half-way through `up`; with the daemon back, the same command finishes the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.chaos import Chaos, Mood
from tests.stories.bad_input.conftest import NAME, Write, left, refused
from tests.support.course import docker


def from_now_on(sign: str) -> Callable[[str], bool]:
    """Picks the first request whose line has `sign`, and every one after it: the daemon does not come back."""
    met = False

    def gone(line: str) -> bool:
        nonlocal met
        met = met or sign in line
        return met

    return gone


async def test_daemon_gone_half_way(course: Write, tmp_path: Path) -> None:
    """Gone at ever later steps, it is told each time with exit code 3; the last `up` makes of all that a course."""
    async with Chaos(tmp_path) as chaos:
        chaos.path.chmod(0o666)
        broken = course(server='memory = "512M"', rest=f'[engine]\nhost = "{chaos.host}"')
        chaos.mood = Mood.EOF
        made = [f"POST /v1.41/{kind}/create" for kind in ("networks", "volumes")]
        for sign in (*made, "/start HTTP", f"create?name=firstbell-{NAME}-hub"):
            chaos.only = from_now_on(sign)
            result = await asyncio.to_thread(broken.cli, "up", "--yes", check=False)
            refused(result, 3, "Docker Engine", "docker version", "failed")
            homes = [name for name in left(NAME) if "-home-" in name or "-server-" in name]
            assert homes == []
        chaos.mood = Mood.PASS
        status = await asyncio.to_thread(broken.cli, "status", "--json", check=False)
        assert (status.returncode, json.loads(status.stdout)["up"]) == (5, False)
        await asyncio.to_thread(broken.up)
        again = await asyncio.to_thread(broken.cli, "up", "--yes")
        assert "Up to date" in again.stdout
        assert [name for name in left(NAME) if "-helper-" in name and not name.endswith("-compress")] == []
        chaos.mood, chaos.only = Mood.EOF, from_now_on("DELETE")
        refused(await asyncio.to_thread(broken.cli, "down", "--yes", check=False), 3, "Docker Engine")
        chaos.mood = Mood.PASS
        await asyncio.to_thread(broken.cli, "down", "--yes")
        # What says whose homes are whose, and certificates, outlive a plain `down`.
        assert {name.rsplit("-", 1)[-1] for name in left(NAME)} <= {"state", "certificates"}
        await asyncio.to_thread(broken.cli, "down", "--delete-homes", "--confirm", NAME)


async def test_daemon_gone_while_it_builds(course: Write, tmp_path: Path) -> None:
    """A daemon that dies in the middle of a build is told as that, and no image of the name is taken for whole."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM debian:trixie-slim\nRUN echo a lot of work\n")
    async with Chaos(tmp_path) as chaos:
        broken = course(server=f'project = "{project}"', rest=f'[engine]\nhost = "{chaos.host}"')
        chaos.mood, chaos.only = Mood.CUT, from_now_on("/build?")
        result = await asyncio.to_thread(broken.cli, "up", "--yes", check=False)
        refused(result, 3, "Docker Engine")


@pytest.mark.parametrize("mood", [Mood.STRANGER, Mood.GARBAGE, Mood.EOF])
async def test_something_else_answers(course: Write, tmp_path: Path, mood: Mood) -> None:
    """What listens at the address but is no Docker Engine is told so, in words, by every command."""
    async with Chaos(tmp_path) as chaos:
        chaos.mood = mood
        stranger = course(rest=f'[engine]\nhost = "{chaos.host}"')
        for words in (("up", "--yes"), ("status",), ("down", "--yes")):
            refused(await asyncio.to_thread(stranger.cli, *words, check=False), 3, "Docker Engine")
    assert docker("version", "--format", "{{.Server.Version}}")
