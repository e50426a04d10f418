"""How long a storage is waited for, with a program in restic's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import firstbell.backup.asking as module

_FAILS = "Stat(<config/>) returned error, retrying after {n}s: {why}"


def _asked(tmp_path: Path, program: str) -> subprocess.CompletedProcess[str]:
    restic = tmp_path / "restic.py"
    restic.write_text(f"import signal, sys\n{program}\n")
    command = [sys.executable, "-I", str(module.__file__), sys.executable, str(restic)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("code", [0, 1, 12])
def test_what_restic_says_and_how_it_ends_is_passed_on(tmp_path: Path, code: int) -> None:
    done = _asked(tmp_path, f"print('[]'); print('said', file=sys.stderr); sys.exit({code})")
    assert (done.returncode, done.stdout, done.stderr) == (code, "[]\n", "said\n")


def test_a_storage_that_fails_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    lines = [_FAILS.format(n=n, why="connection refused") for n in (1, 2, 4)]
    done = _asked(tmp_path, f"print(*{lines!r}, sep='\\n', file=sys.stderr); print('[]')")
    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_one_that_goes_on_failing_is_given_up_with_restics_words(tmp_path: Path) -> None:
    """It would go on for a quarter of an hour; `signal.pause` here would for good."""
    lines = [_FAILS.format(n=n, why="connection refused") for n in (1, 2, 4, 8)]
    done = _asked(tmp_path, f"print(*{lines!r}, sep='\\n', file=sys.stderr, flush=True); signal.pause()")
    assert done.returncode == 1
    assert done.stderr.splitlines() == lines
