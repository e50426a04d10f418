"""What stories of sharing have in common: registries, and a home of Docker's client of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.course import RunningCourse, docker
from tests.support.registry import Registry, registry

USER, PASSWORD = "ada", "correct horse"

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shop() -> Iterator[Registry]:
    """A registry that is open to all."""
    with registry("share") as made:
        yield made


@pytest.fixture(scope="module")
def locked_shop() -> Iterator[Registry]:
    """A registry for one user."""
    with registry("share-locked", login=(USER, PASSWORD)) as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """Runs `firstbell WORDS` in an empty folder, with no logins but what the test writes to its `docker` folder."""
    (tmp_path / "docker").mkdir()
    folder = RunningCourse(tmp_path, "test-share", "")

    def run(*words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        environment: Mapping[str, str] = {"DOCKER_CONFIG": str(tmp_path / "docker"), **more}
        return folder.cli(*words, check=check, environment=environment)

    before = set(_tags())
    try:
        yield run
    finally:
        for tag in set(_tags()) - before:
            if tag.startswith(("127.0.0.1:", "firstbell/test-share")):
                docker("rmi", tag, check=False)


def _tags() -> list[str]:
    return docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
