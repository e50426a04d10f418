"""Addresses of engines behind ssh, and what is said where ssh does not get there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from firstbell.engine.connect import connect
from firstbell.engine.ssh_host import FarEngine, parse
from firstbell.engine.waiting import until
from firstbell.errors import CourseFileError, EngineUnavailable


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ssh://node2", "-- node2 docker system dial-stdio"),
        ("ssh://root@node2:2222", "-l root -p 2222 -- node2 docker system dial-stdio"),
        ("ssh://node2/run/other.sock", "-- node2 docker -H unix:///run/other.sock system dial-stdio"),
    ],
)
def test_command(address: str, words: str) -> None:
    """An address becomes the command that the docker client would run, and it never waits for a password."""
    command = " ".join(parse(address).command)
    assert command.endswith(words)
    assert "BatchMode=yes" in command


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://-oProxyCommand=sh",
        "ssh://a@-h",
        "ssh://root:secret@h",
        "ssh://h:x",
        "ssh://h/a;b",
        "ssh://-l@h",
    ],
)
def test_refused(address: str) -> None:
    """What ssh or the far shell would take for something else is refused."""
    with pytest.raises(CourseFileError, match="behind ssh"):
        parse(address)


def _ssh(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


async def test_words_of_ssh_reach_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ssh fails, its own words and whom it was to reach are the error."""
    _ssh(tmp_path, "echo 'Permission denied (publickey).' >&2; exit 255", monkeypatch)
    engine = await connect("docker", "ssh://root@node2")
    with pytest.raises(EngineUnavailable, match=r"root@node2: Permission denied \(publickey\)"):
        await engine.facts()
    await engine.close()


async def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without ssh is told so, with what installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = await connect("docker", "ssh://node2")
    with pytest.raises(EngineUnavailable, match="apt-get install openssh-client"):
        await engine.facts()
    await engine.close()


async def test_closing_ends_ssh_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is closed while an answer is awaited ends its ssh, and its socket is gone."""
    (tmp_path / "bin").mkdir()
    _ssh(tmp_path / "bin", f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec cat", monkeypatch)
    engine = await connect("docker", "ssh://node2")
    assert isinstance(engine, FarEngine)
    asking = asyncio.ensure_future(engine.image("x"))

    async def runs() -> bool:
        return (tmp_path / "pid").exists()

    await until(runs, deadline=20)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await engine.close()
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
    assert not engine._folder.exists()
