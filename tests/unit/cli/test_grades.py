"""`firstbell grades export` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.model import names
from firstbell.model.container import VolumeSpec
from firstbell.model.names import Role
from firstbell.plan.grader_image import PYTHON

from .conftest import Command

ROW = {"assignment": "ps1", "user": "ann", "score": 3.0, "max_score": 5.0, "needs_manual": False}


@pytest.fixture
async def course(engine: FakeEngine, tmp_path: Path) -> str:
    """A course with a grade book of one row; the name of its file."""

    async def program(process: Process) -> int:
        assert process.argv[-1] == "grades"
        wanted = json.loads(process.stdin)["assignment"]
        process.say(json.dumps({"rows": [ROW] if wanted in {"", "ps1"} else [], "remarks": []}))
        return 0

    engine.programs = {**engine.programs, PYTHON: program}
    await engine.ensure_volume(VolumeSpec(names.volume("demo", Role.COURSEWORK)))
    (tmp_path / "firstbell.toml").write_text('name = "demo"\n[server]\nimage = "x"\n[coursework]\n')
    return "firstbell.toml"


def test_grades_are_printed_as_csv_or_json(command: Command, course: str) -> None:
    """A line of names and a row; with --json, everything that the grade book says."""
    shown = command("grades", "export", course)
    assert shown.code == 0, shown.err
    head, row = shown.out.splitlines()
    assert head.startswith("assignment,user,") and row == "ps1,ann,,,,,,,,3,5,no"
    assert json.loads(command("grades", "export", course, "--json").out) == [ROW]
    assert command("grades", "export", course, "--assignment", "ps2").out.splitlines() == [head]


def test_no_file_is_overwritten(command: Command, course: str, tmp_path: Path) -> None:
    """The first command writes it, the second says that it is there."""
    assert command("grades", "export", course, "--to", "grades.csv").code == 0
    assert "ps1,ann" in (tmp_path / "grades.csv").read_text()
    again = command("grades", "export", course, "--to", "grades.csv")
    assert again.code == 2 and "is there already" in again.err
