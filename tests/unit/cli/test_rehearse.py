"""`firstbell rehearse` and `firstbell plan`, as far as they go without a running course."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from firstbell.rehearsal.verdict import verdict
from firstbell.work.rehearse import Prospect
from firstbell.work.rehearse_folder import keep, last_record, rehearsals
from tests.unit.cli.conftest import Command
from tests.unit.rehearsal.made import failed, record, visit


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rehearsals are kept in the test's own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def course() -> None:
    Path("firstbell.toml").write_text('name = "statistics"\n[server]\nimage = "x"\n')


def test_a_course_that_does_not_run_is_not_rehearsed(command: Command):
    """It says how to start it."""
    course()
    outcome = command("rehearse", "--dry-run")
    assert outcome.code == 5
    assert "does not run" in outcome.err and "firstbell up" in outcome.err


@pytest.mark.parametrize("words", [("--within", "soon"), ("--patience", "-3s"), ("--pause", "1y")])
def test_a_length_of_time_is_explained(command: Command, words: tuple[str, str]):
    """What is no length of time is refused with one that is."""
    course()
    outcome = command("rehearse", *words)
    assert outcome.code == 2 and f"{words[0]} 30s" in outcome.err


def test_what_stands_in_the_way_is_said_before():
    """A room or a memory too small for the crowd, with numbers; nothing where both suffice."""
    found = Prospect(("ada",), capacity=30, memory_for_more=50, left_over=0)
    assert found.remarks(29) == ()
    assert "29 of 40 get in" in found.remarks(40)[0]
    assert "about 50 more servers, not 60" in found.remarks(60)[1]


def test_plan_says_machines_and_what_runs_out(command: Command):
    """In words, with where the figures are from."""
    outcome = command("plan", "--people", "1000")
    assert outcome.code == 0
    assert "runs out first" in outcome.out and "1000 people: " in outcome.out
    assert "Firstbell's own measurements" in outcome.err


def test_plan_takes_the_last_rehearsals_figures(command: Command):
    """And says which; with a memory given, that one."""
    visits = [visit(n) for n in range(3)]
    made = record(visits)
    keep(made, visits, verdict(made), None, None)
    told = json.loads(command("plan", "--people", "500", "--json").out)
    assert "rehearsal of statistics with 3 people" in told["figures"]["from"]
    assert told["figures"]["cold"]["server_memory"] == 95 * 2**20
    more = json.loads(command("plan", "--people", "500", "--memory", "2G", "--json").out)
    assert sum(a["machines"] for a in more["answers"]) > sum(a["machines"] for a in told["answers"])


@pytest.mark.parametrize("words", [("--memory", "much"), ("--memory", "0G"), ("--lead", "x")])
def test_plan_refuses_what_it_does_not_understand(command: Command, words: tuple[str, str]):
    """With an example of what would be right."""
    outcome = command("plan", *words)
    assert outcome.code == 2 and "Write it so" in outcome.err


def test_a_rehearsal_is_kept_whole_and_found_again(tmp_path: Path):
    """Report and numbers beside each other; a file cut off is passed over for the one before."""
    visits = [visit(1), failed(2)]
    made = record(visits)
    report = keep(made, visits, verdict(made), None, tmp_path / "out")
    assert {path.name for path in report.parent.iterdir()} == {"report.html", "people.csv", "machine.csv"}
    assert last_record("statistics") == made and last_record() == made and last_record("other") is None
    later = rehearsals("statistics") / "99990101T000000Z"
    later.mkdir()
    (later / "rehearsal.json").write_text(json.dumps(asdict(made))[:100])
    assert last_record("statistics") == made
