"""One benchmark after the other: a failure stops nobody else, and is said."""

from __future__ import annotations

import argparse
import time
from typing import Any

import pytest

import bench.__main__ as command
from bench import machine
from bench.figures import Figure, at_most
from bench.record import Record
from tests.unit.bench.test_page import MACHINE


def a_record(name: str, value: float = 1.0, **machine: str) -> Record:
    return Record(name, (Figure("Time", (value,), unit="s", goal=at_most(2)),), (), "", MACHINE | machine)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened: measured benchmarks by name, and `clean`. `notebook` fails, `growth` misses its goal."""
    seen: list[str] = []

    def run(_: Any, name: str, __: Any) -> Record:
        seen.append(name)
        if name == "notebook":
            raise RuntimeError("no page")
        return a_record(name, 3.0 if name == "growth" else 1.0)

    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(command, "clean", lambda _: seen.append("clean"))
    return seen


def run_all(*names: str, check: bool = False, resume: bool = False) -> int:
    options = argparse.Namespace(names=list(names), check=check, resume=resume)
    return command._run_all(None, options)  # type: ignore[arg-type]


def test_a_failed_benchmark_does_not_stop_the_others(events: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The next one runs, each is cleaned up after, and the end names what is missing and the command to get it."""
    assert run_all("notebook", "start") == 1
    assert events == ["notebook", "clean", "start", "clean"]
    assert "Not measured: notebook. Again: bench/run notebook" in capsys.readouterr().out


def test_all_are_all_but_builds(events: list[str]) -> None:
    """Every benchmark of the list once, in its order."""
    run_all("all")
    assert [name for name in events if name != "clean"] == list(command.BENCHMARKS)


@pytest.mark.parametrize(("name", "check", "code"), [("start", True, 0), ("growth", True, 1), ("growth", False, 0)])
def test_a_missed_goal_fails_only_a_check(events: list[str], name: str, check: bool, code: int) -> None:
    """Without --check figures are figures; with it a missed goal is exit code 1."""
    assert run_all(name, check=check) == code
    assert events == [name, "clean"]


def test_resuming_leaves_out_what_is_fresh(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured today at this commit: left out. Measured at another, or on another day: measured again."""
    today = time.strftime("%Y-%m-%d", time.gmtime()) + "T10:00:00+00:00"
    known = {
        "start": a_record("start", date=today, commit="abc1234-dirty"),
        "growth": a_record("growth", date=today, commit="fff0000"),
        "logins": a_record("logins", date="2020-01-01T10:00:00+00:00", commit="abc1234"),
    }
    monkeypatch.setattr(command, "newest", known.get)
    monkeypatch.setattr(machine, "commit", lambda: "abc1234")
    run_all("start", "growth", "logins", "first-page", resume=True)
    assert [name for name in events if name != "clean"] == ["growth", "logins", "first-page"]
