"""`firstbell init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Command


@pytest.mark.parametrize("kind", ["--seminar", "--class", "--lab"])
def test_writes_a_course_that_reads(command: Command, kind: str):
    """What init writes is a course at once, and the next command is named."""
    shown = command("init", "stats", kind)
    assert shown.code == 0
    assert shown.out.splitlines()[-1] == "Next: firstbell up stats"
    assert command("open", "stats").out == "http://127.0.0.1:8000/\n"


def test_never_overwrites(command: Command):
    """A course that is there is left as it is; files of the person's are kept."""
    Path("project").mkdir()
    Path("project/requirements.txt").write_text("mine")
    assert "kept   project/requirements.txt" in command("init").out
    assert Path("project/requirements.txt").read_text() == "mine"
    before = Path("firstbell.toml").read_text()
    shown = command("init", "--class")
    assert shown.code == 2
    assert "firstbell up" in shown.err
    assert Path("firstbell.toml").read_text() == before
    assert not Path("roster.csv").exists()


def test_dry_run_writes_nothing(command: Command):
    """A dry run names the files and makes none."""
    assert "would write  stats/firstbell.toml" in command("init", "stats", "--dry-run").out
    assert not Path("stats").exists()


def test_folder_that_cannot_be_written(command: Command):
    """A file where the folder should be is an error in words."""
    Path("stats").write_text("a file")
    shown = command("init", "stats")
    assert shown.code == 2
    assert "cannot be written" in shown.err
