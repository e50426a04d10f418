"""`bench/run builds`: from a folder to an image, ours next to the Dockerfile that people write, in turn."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from bench import builds_report
from bench.build_sides import BASE, HERE, BuildSide, sides
from bench.engine import Engine
from bench.measure import wait_for_quiet
from bench.side import ROOT

ONE_MORE = "tomli-w==1.2.0"
"""A small package that nothing else has: what is measured is all the rest being done again, or not."""
_NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side took in one turn: seconds, and bytes of the image."""

    side: str
    run: int
    cold: float
    notebook: float
    """After a notebook was edited."""
    requirement: float
    """After a requirement was added."""
    again: float
    """With nothing changed."""
    size: int
    base_size: int
    busy_before: float
    """Cores that were busy in the second before."""


COLUMNS = tuple(field.name for field in fields(Turn))


def main(arguments: list[str]) -> int:
    """Exit code 0 once it is measured; 1 with --check where a goal is missed."""
    parser = argparse.ArgumentParser(prog="bench/run builds", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted turns of each side (default: 3)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args(arguments)
    engine = Engine()
    taking_turns = sides(engine)
    turns: list[Turn] = []
    try:
        for run in range(1, options.runs + 1):
            for side in taking_turns:
                turns.append(take_turn(engine, side, run))
                print(f"{run:3d} {side.name:10} {builds_report.row(turns[-1])}", flush=True)
    finally:
        for side in taking_turns:
            side.clean()
    print(f"\n{builds_report.table(turns)}")
    path = builds_report.save(turns, engine)
    print(f"\nWritten: {path.relative_to(ROOT)} and docs/benchmarks.md")
    return 1 if options.check and not builds_report.all_met(turns) else 0


def take_turn(engine: Engine, side: BuildSide, run: int) -> Turn:
    """Cold, an edited notebook, a requirement more, and nothing at all."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bench-build"
        folder.mkdir()
        requirements, notebook = folder / "requirements.txt", folder / "start.ipynb"
        shutil.copy(HERE / "requirements.txt", requirements)
        # Of its own in each turn, so that nothing an earlier one left is of use.
        requirements.write_text(f"# {time.time()}\n{requirements.read_text()}")
        notebook.write_text(json.dumps(_NOTEBOOK))
        busy = wait_for_quiet()
        ref, cold = _timed(lambda: side.build(folder, cold=True))
        size, base_size = (engine.call("GET", f"/images/{name}/json")["Size"] for name in (ref, BASE))
        notebook.write_text(json.dumps({**_NOTEBOOK, "metadata": {"edited": time.time()}}))
        edited = _timed(lambda: side.build(folder))[1]
        again = _timed(lambda: side.build(folder))[1]
        requirements.write_text(f"{requirements.read_text()}{ONE_MORE}\n")
        requirement = _timed(lambda: side.build(folder))[1]
    return Turn(side.name, run, cold, edited, requirement, again, size, base_size, round(busy, 2))


def _timed(act: Callable[[], str]) -> tuple[str, float]:
    began = time.monotonic()
    result = act()
    return result, round(time.monotonic() - began, 2)
