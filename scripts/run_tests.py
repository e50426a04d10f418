"""What `./test` runs, part by part; ends with pytest's summary."""

from __future__ import annotations

import os
import subprocess
import sys
import time

LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
)
PARTS = {
    "unit": ("tests/unit",),
    "contract": ("tests/contract",),
    "stories": ("tests/stories",),
    "browser": ("tests/browser",),
    "cluster": ("tests/cluster",),
}
ONLY_NAMED = {
    "keeping": (
        "tests/stories/archive",
        "tests/stories/backup",
        "tests/stories/keeping",
        "tests/stories/records",
        "tests/stories/upgrade",
        "tests/stories/homes/test_rescue.py",
        "tests/stories/hub/test_clock.py",
        "tests/stories/faults/test_daemon.py",
        "tests/stories/faults/test_engine.py",
        "tests/stories/faults/test_full_disk.py",
        "tests/stories/people/test_full_disk.py",
        "tests/browser/test_earlier.py",
        "tests/browser/test_keeping.py",
    ),
    "images": (
        "tests/stories/images/test_conda.py",
        "tests/stories/images/test_conventions.py",
        "tests/stories/images/test_mirrors.py",
    ),
    "swarm": ("tests/cluster/courses",),
    "nbgrader": (
        "tests/stories/coursework/long",
        "tests/stories/coursework/test_course.py",
        "tests/stories/coursework/test_grading.py",
    ),
    "languages": ("tests/languages",),
}
"""Backups, upgrades, archives, records and limits on whole courses, most of an hour; images of conda, of every
convention and by mirrors, a quarter of one; whole courses on a Swarm, over an hour; a class's coursework from handing
out to grades, grading killed at its steps, nbgrader's own tools on it, a quarter of one; every kernel in one image, an
hour."""

SIDE_BY_SIDE = ("-n2", "--no-loadscope-reorder")
"""Most tests wait for something real; which may run beside which is in `tests/conftest.py`."""


def main() -> int:
    """Run what the arguments name; all of it without any."""
    named = [word for word in sys.argv[1:] if word in {"lint", *PARTS, *ONLY_NAMED}]
    rest = [word for word in sys.argv[1:] if word not in named]
    if (not named and not rest) or "lint" in named:
        for command in LINT:
            if code := _run(command):
                return code
    known = PARTS | ONLY_NAMED
    parts = [part for part in known if part in named] or list(PARTS)
    if named == ["lint"]:
        return 0
    if set(parts) - {"unit"}:
        _see_to_the_machine()
    folders = [folder for part in parts for folder in known[part]]
    # What is only run when named may lie below what always runs.
    others = [f"--ignore={folder}" for part in ONLY_NAMED if part not in parts for folder in ONLY_NAMED[part]]
    # Whoever looks for something themselves (-x, -s, --pdb) has one test after another; so have machines and daemons.
    beside = () if rest or set(parts) & set(ONLY_NAMED) else SIDE_BY_SIDE
    return _run(("pytest", "--durations=40", "--durations-min=10", *beside, *folders, *others, *rest))


def _see_to_the_machine() -> None:
    """The tests' real parts: the engine, a browser, what makes a base image, and what makes a cluster."""
    from scripts.machine import prepare

    prepare()


def _run(command: tuple[str, ...]) -> int:
    started = time.monotonic()
    print(f"\n── {' '.join(command)}", flush=True)
    environment = {**os.environ, "COLUMNS": os.environ.get("COLUMNS", "120")}
    code = subprocess.run([sys.executable, "-m", *_module(command)], env=environment, check=False).returncode
    print(
        f"── {command[0]}: {'ok' if code == 0 else f'failed ({code})'} in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return code


def _module(command: tuple[str, ...]) -> tuple[str, ...]:
    if command[0] == "lint-imports":
        return ("importlinter.cli", "lint", *command[1:])
    return command


if __name__ == "__main__":
    sys.exit(main())
