"""`firstbell doctor` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.cli import doctor
from firstbell.engine.fake import FakeEngine
from firstbell.plan.doctor_facts import Finding, Level

from .conftest import Command


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.NOTE, 0), (Level.WARNING, 0), (Level.PROBLEM, 7)])
def test_exit_code(command: Command, monkeypatch: pytest.MonkeyPatch, level: Level, code: int):
    """Only a problem is code 7; each finding is shown with its remedy."""

    async def examine(*_: Any) -> tuple[Finding, ...]:
        return (Finding(level, "the sky", "above", "look up"),)

    monkeypatch.setattr(doctor, "examine", examine)
    shown = command("doctor")
    assert shown.code == code
    assert "the sky  above" in shown.out
    assert "→ look up" in shown.out
    assert json.loads(command("doctor", "--json").out)[0]["level"] == level.value


def test_wrong_course_file_is_a_finding(command: Command):
    """A course file that is wrong is found, and the machine is looked at all the same."""
    Path("firstbell.toml").write_text("nam = 1\n")
    found = json.loads(command("doctor", "--json").out)
    assert any("did you mean name" in f["what"] for f in found)
    assert any("20.10" in f["what"] for f in found)


def test_engine_down(command: Command, engine: FakeEngine):
    """An engine that is down is code 7 with a finding, not code 3."""
    engine.away = True
    shown = command("doctor")
    assert shown.code == 7
    assert "not available" in shown.out
