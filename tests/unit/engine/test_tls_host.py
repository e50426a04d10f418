"""Addresses of engines behind TLS: where the certificate is looked for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.engine.connect import connect
from firstbell.engine.ssh_host import FarEngine
from firstbell.engine.tls_host import FILES, certificates, parse
from firstbell.errors import CourseFileError, EngineUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the three files."""
    for name in FILES:
        (tmp_path / name).write_text("PEM")
    return tmp_path


def test_command(folder: Path) -> None:
    """The docker command verifies the daemon, shows our certificate, and goes to Docker's own port by default."""
    command = " ".join(parse("tcp://node1", folder).command)
    assert command.startswith("docker -H tcp://node1:2376 --tlsverify")
    assert f"--tlskey {folder}/key.pem" in command
    assert command.endswith("system dial-stdio")
    assert parse("tcp://10.0.0.1:2377/", folder).host == "tcp://10.0.0.1:2377"


@pytest.mark.parametrize("address", ["tcp://", "tcp://-H:1", "tcp://a b", "tcp://h:x", "tcp://u@h"])
def test_refused(address: str, folder: Path) -> None:
    """What the docker command would take for something else is refused."""
    with pytest.raises(CourseFileError, match="behind TLS"):
        parse(address, folder)


@pytest.mark.parametrize("missing", FILES)
def test_a_folder_that_lacks_a_file_is_named(folder: Path, missing: str) -> None:
    """Which of the three is missing is said with its place."""
    (folder / missing).unlink()
    with pytest.raises(CourseFileError, match=f"lacks {missing}") as caught:
        parse("tcp://node1", folder)
    assert caught.value.where == str(folder / missing)


def test_where_certificates_are(tmp_path: Path) -> None:
    """The course file counts before the environment, and without either there is no TLS, as with Docker."""
    env = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    assert certificates(tmp_path, env) == tmp_path
    assert certificates(None, env) == Path("/certs")
    assert certificates(None, {"DOCKER_TLS_VERIFY": "1"}) == Path.home() / ".docker"
    assert certificates(None, {"DOCKER_CERT_PATH": "/certs"}) is None


async def test_the_words_of_tls_reach_the_person(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the handshake fails, the docker command's own words are the error."""
    program = folder / "docker"
    program.write_text("#!/bin/sh\necho 'remote error: tls: bad certificate' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    engine = await connect("docker", "tcp://node1", folder)
    assert isinstance(engine, FarEngine)
    try:
        with pytest.raises(EngineUnavailable, match="tls: bad certificate"):
            await engine.facts()
    finally:
        await engine.close()
