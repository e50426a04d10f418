"""Where a folder comes from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from firstbell.plan.image import Origin
from firstbell.work.origin import read_origin, without_password


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one commit with the folder `course` in it."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "start.ipynb").write_text("{}")
    for words in (
        "init --quiet",
        "config user.name Ada",
        "config user.email ada@example.org",
        "remote add origin https://ada:secret@example.org/lesson.git",
        "add course",
        "commit --quiet --message one --date 2026-11-01T10:00:00+01:00",
    ):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    return tmp_path


def test_repository_and_commit_are_told(repository: Path) -> None:
    """A folder in a repository has its address without the password, its commit, and the commit's time."""
    origin = read_origin(repository / "course")
    assert origin.source == "https://example.org/lesson.git"
    assert len(origin.revision) == 40
    assert origin.created.startswith("20")


def test_a_changed_folder_is_another_than_its_commit(repository: Path) -> None:
    """Changed and new files of the folder, and only of it, are told by a mark."""
    (repository / "elsewhere.txt").write_text("x")
    assert not read_origin(repository / "course").revision.endswith("-dirty")
    (repository / "course" / "new.txt").write_text("x")
    assert read_origin(repository / "course").revision.endswith("-dirty")


def test_nothing_is_told_where_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a repository, and on a machine without git, there are no labels and no trouble."""
    assert read_origin(tmp_path) == Origin()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert read_origin(tmp_path) == Origin()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://name:token@example.org/x.git", "https://example.org/x.git"),
        ("https://token@example.org:8443/x", "https://example.org:8443/x"),
        ("git@example.org:team/x.git", "git@example.org:team/x.git"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:secret@example.org/x", "ssh://example.org/x"),
        ("/home/ada/x", ""),
        ("file:///home/ada/x", ""),
        ("", ""),
    ],
)
def test_no_password_is_told(address: str, told: str) -> None:
    """What lets somebody in is not in a label, nor is a path of this machine."""
    assert without_password(address) == told
