"""Which base images can be made from packages, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.model.network import Network
from firstbell.work import base_image
from firstbell.work.base_image import Distribution, command, debian_like, host_mirror


@pytest.mark.parametrize(
    ("ref", "meant"),
    [
        ("debian:trixie-slim", ("debian", "trixie")),
        ("debian:13-slim", ("debian", "trixie")),
        ("docker.io/library/debian:bookworm", ("debian", "bookworm")),
        ("debian:latest", ("debian", "stable")),
        ("ubuntu:24.04", ("ubuntu", "noble")),
        ("ubuntu:jammy", ("ubuntu", "jammy")),
        ("registry.example.org/debian:trixie", None),
        ("python:3.13-slim", None),
        ("debian@sha256:00", None),
    ],
)
def test_references_of_the_distributions_own_images(ref: str, meant: tuple[str, str] | None) -> None:
    """Official references mean a suite; nobody else's image is replaced by one of ours."""
    assert debian_like(ref) == (Distribution(*meant) if meant else None)


def test_security_updates_are_in() -> None:
    """A mirror is taken with its updates and the security archive beside it."""
    assert Distribution("debian", "trixie").sources("http://m/debian/") == (
        "deb http://m/debian trixie main",
        "deb http://m/debian trixie-updates main",
        "deb http://m/debian-security trixie-security main",
    )
    assert "deb http://m/ubuntu noble-security main universe" in Distribution("ubuntu", "noble").sources(
        "http://m/ubuntu"
    )


def test_the_authorities_are_passed_on() -> None:
    """With an https mirror the course's authorities are trusted while the base is made."""
    words = command(Distribution("debian", "trixie"), Network(ca_bundle=Path("/ca.pem")), "https://m/debian")
    assert '--aptopt=Acquire::https::CAInfo "/ca.pem"' in words
    assert words[-1] == "deb https://m/debian-security trixie-security main"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sources.list", "# deb http://old/debian x\ndeb [signed-by=/k] http://m/debian trixie main\n"),
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://m/debian/\nSuites: trixie\n"),
    ],
)
def test_the_machines_own_mirror_is_found(tmp_path: Path, file: str, text: str) -> None:
    """Both formats of apt's sources are read; the mirror of another distribution is not taken."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert host_mirror(Distribution("debian", "trixie"), tmp_path) == "http://m/debian"
    assert host_mirror(Distribution("ubuntu", "noble"), tmp_path) == ""


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead run's directory goes, a living one's stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = tmp_path / "firstbell-base-dead"
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "chroot").mkdir()
    with base_image._scratch() as living:
        base_image._remove_leftovers()
        assert living.exists()
        assert not dead.exists()
    assert not living.exists()
