"""What stories of bad input share: a course folder, and the proof that nothing of its course is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.course import RunningCourse, docker, remove, write_course

NAME = "test-bad"

Write = Callable[..., RunningCourse]


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Write]:
    """Writes the course file, its tables given as text; at the end nothing carries the course's name."""
    remove(NAME)

    def write(text: str = "", **tables: str) -> RunningCourse:
        if text:
            (tmp_path / "firstbell.toml").write_text(text)
            return RunningCourse(tmp_path, NAME, "")
        return RunningCourse(tmp_path, NAME, write_course(tmp_path, NAME, **tables))

    try:
        yield write
        assert left(NAME) == []
    finally:
        remove(NAME)
        for tag in docker("images", "-q", "--filter", f"reference=firstbell/{NAME}").split():
            docker("rmi", "--no-prune", "-f", tag, check=False)


def left(name: str, *, homes: bool = True) -> list[str]:
    """Containers, networks and volumes of a course, helpers among them."""
    label = f"label=firstbell.course={name}"
    found = docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split()
    found += docker("network", "ls", "--filter", label, "--format", "{{.Name}}").split()
    volumes = docker("volume", "ls", "--filter", label, "--format", "{{.Name}}").split()
    return found + [volume for volume in volumes if homes or "-home-" not in volume]


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
    """What a failed command said: one error that names what and next, these words in it, and no mistake of ours."""
    said = result.stderr
    assert result.returncode == code, f"exit code {result.returncode}\n{result.stdout}\n{said}"
    assert [line.startswith("Error: ") for line in said.splitlines()].count(True) == 1, said
    assert "\n  next:  " in said, said
    assert [word for word in words if word not in said] == [], said
    assert [word for word in ("Traceback", "should not have happened", "stamina") if word in said] == [], said
    return said
