"""`firstbell lock` as a person or a script meets it; what it resolves is in tests/stories/images/test_lock.py."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Command


def test_dry_run_and_check_do_nothing(command: Command, tmp_path: Path) -> None:
    """Both say what is missing; only the check fails by it, with the command that helps; nothing is written."""
    (tmp_path / "requirements.txt").write_text("numpy\n")
    shown = command("lock", "--dry-run")
    assert (shown.code, shown.out) == (0, "would write requirements.lock (missing)\n")
    checked = command("lock", "--check")
    assert checked.code == 2
    assert "requirements.lock is missing" in checked.err and "firstbell lock" in checked.err
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]


def test_json_is_one_document(command: Command, tmp_path: Path) -> None:
    """With --json stdout holds the locks and nothing else."""
    (tmp_path / "apt.txt").write_text("tree\n")
    (lock,) = json.loads(command("lock", "--dry-run", "--json").out)
    assert lock == {
        "file": "apt.lock", "inputs": ["apt.txt"], "state": "missing", "due": True, "packages": 0, "changes": [],
    }  # fmt: skip


def test_a_folder_without_packages_is_told_so(command: Command) -> None:
    """An empty folder ends with exit code 2 and a sentence."""
    refused = command("lock")
    assert refused.code == 2
    assert "empty" in refused.err
