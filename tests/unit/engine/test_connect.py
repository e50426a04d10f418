"""From the course file's words to an engine."""

from __future__ import annotations

import pytest

from firstbell.engine.connect import connect, state_folder
from firstbell.engine.docker import DockerEngine
from firstbell.errors import CourseFileError


@pytest.mark.parametrize("host", ["", "unix:///x.sock", "tcp://127.0.0.1:2375"])
async def test_addresses(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """An engine can be had without its being there: the hub starts before the daemon answers."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert isinstance(await connect("docker", host), DockerEngine)


@pytest.mark.parametrize(("kind", "host"), [("docker", "ssh://-h"), ("docker", "/var/run/docker.sock"), ("podman", "")])
async def test_refused(kind: str, host: str) -> None:
    """What cannot be is refused with what would be right."""
    with pytest.raises(CourseFileError) as caught:
        await connect(kind, host)
    assert caught.value.next_step


async def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address in the course file that of DOCKER_HOST counts."""
    monkeypatch.setenv("DOCKER_HOST", "http2://h")
    with pytest.raises(CourseFileError, match="http2://h"):
        await connect("docker")


def test_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of builds are kept where the person keeps such things."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert str(state_folder()) == "/state/firstbell"
