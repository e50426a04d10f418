"""How backups are, in words for staff."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from firstbell.model.backup_report import BackupReport
from firstbell.plan.backup_report import ago, backup_findings, size, worst
from firstbell.plan.doctor_facts import Level

NOW = 1_000_000_000.0
HOUR, DAY = 3600.0, 86400.0
GOOD = BackupReport(every=HOUR, drill_every=7 * DAY, since=NOW - 30 * DAY, good=NOW - 60, ended=NOW - 60, homes=20)


def said(report: BackupReport) -> tuple[Level, str]:
    found = tuple(backup_findings(report, NOW))
    return worst(found), "; ".join(one.what for one in found)


def test_all_is_well():
    """Age, homes, size, growth and drill in one breath, and no warning."""
    report = replace(GOOD, stored=2_500_000_000, grown=40_000_000, drilled=NOW - 3 * DAY, drilled_files=120)
    level, words = said(report)
    assert level is Level.OK
    assert "1 min old: 20 homes, 2.5 GB stored, 40 MB more than a week ago" in words
    assert "all 120 files of a home, restored elsewhere, came back bit for bit" in words


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"good": NOW - 3 * HOUR}, Level.PROBLEM, "3 h old, one is made every hour"),
        ({"good": NOW - 3 * HOUR, "failure": "no space"}, Level.PROBLEM, "every hour: no space"),
        ({"failure": "ada: 2 files"}, Level.WARNING, "failed in part: ada: 2 files"),
        ({"good": 0.0, "since": NOW - 60}, Level.NOTE, "the first backup is not there yet"),
        ({"good": 0.0, "since": NOW - 60, "running": True}, Level.NOTE, "is being made"),
        ({"good": 0.0, "since": NOW - 3 * HOUR}, Level.PROBLEM, "there is no good backup yet"),
        ({"lacking": ("ada", "bob")}, Level.WARNING, "without a good backup of late: ada, bob"),
        ({"drilled": NOW - 60, "drill_failure": "damaged"}, Level.PROBLEM, "the drill 1 min ago"),
        ({"drilled": NOW - 20 * DAY}, Level.WARNING, "no home was restored for a trial since 20 days"),
        ({"checked": NOW - 60, "check_failure": "damaged"}, Level.PROBLEM, "a check 1 min ago failed: damaged"),
    ],
)
def test_what_is_late_or_fails_is_said(change: dict[str, object], level: Level, words: str):
    """With how bad it is."""
    found = said(replace(GOOD, **change))  # type: ignore[arg-type]
    assert found[0] is level and words in found[1]


def test_a_clock_that_was_set_back_makes_nothing_late():
    """An age is never below zero."""
    assert GOOD.age(NOW - DAY) == 0 and not GOOD.is_late(NOW - DAY)


def test_it_comes_back_from_json_whatever_a_later_version_adds():
    """As it was."""
    report = replace(GOOD, lacking=("ada",), grown=-5)
    assert BackupReport.read(json.loads(json.dumps(report.plain())) | {"later": 1}) == report


def test_lengths_and_sizes_for_eyes():
    """In the unit that a person would take."""
    lengths = [0, 59, 60, 119, 3600, 7200, 2 * DAY, 7 * DAY]
    assert [ago(one) for one in lengths] == ["0 s", "59 s", "1 min", "1 min", "hour", "2 h", "2 days", "7 days"]
    assert [size(n) for n in (0, 999, 1000, 15_000, 2_500_000)] == ["0 bytes", "999 bytes", "1.0 kB", "15 kB", "2.5 MB"]
