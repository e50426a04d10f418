"""What the stories of `firstbell build` share: a folder, the command on it, and its images' removal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.course import FIRSTBELL, docker

FOLDER = "test-build"
"""Of this name are the folders, so that their images are called firstbell/test-build."""
NAME = "firstbell-test/build-story:1"
JUPYTER = "RUN touch /jupyter_server.py && printf '#!/bin/sh\\n' > /usr/bin/python3 && chmod +x /usr/bin/python3"
"""Stands for Jupyter in an image where something else is told."""

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one notebook."""
    made = tmp_path / FOLDER
    made.mkdir()
    (made / "start.ipynb").write_text("{}")
    return made


@pytest.fixture
def build(folder: Path) -> Iterator[Build]:
    """Runs `firstbell build FOLDER WORDS…`; the images are untagged in the end."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "XDG_STATE_HOME": str(folder.parent / "state")}
        command = [str(FIRSTBELL), "build", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)

    yield run
    for ref in (*images(), NAME):
        docker("rmi", "--no-prune", "--force", ref, check=False)


def images() -> list[str]:
    """The folder's images, by their tags."""
    return docker("images", "--filter", f"reference=firstbell/{FOLDER}", "--format", "{{.Repository}}:{{.Tag}}").split()


def own(folder: Path, *lines: str) -> None:
    """Give the folder a Dockerfile that begins from the base."""
    (folder / "Dockerfile").write_text("\n".join(["FROM debian:trixie-slim", *lines]) + "\n")
