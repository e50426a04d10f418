"""`bench/run`: set both sides up, let them take turns, write down what came out."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from typing import Any

from bench import builds, our_side, peer_side, report
from bench.engine import Engine
from bench.measure import Visit, visit
from bench.side import ROOT, Side
from firstbell.model.image import Progress
from firstbell.work.machine import ensure_engine

_PATIENCE = 2
"""Where the machine is disturbed, up to this many times as many turns are taken as were asked for."""
_WARM_UP = 0
"""The number of each side's first visit, which is not counted: it fills the page cache for those after it."""


def main() -> int:
    """Exit code 0 once it is measured; 1 with --check where a goal is missed."""
    if sys.argv[1:2] == ["builds"]:
        return builds.main(sys.argv[2:])
    options = _options()
    asyncio.run(ensure_engine("", ask=_agree, report=_tell))
    engine = Engine()
    visits: list[Visit] = []
    timelines: dict[str, Any] = {}
    with ExitStack() as stack:
        sides = _start(stack, engine, options)
        for run in range(1, _PATIENCE * options.runs + 1):
            for side in sides:
                measured, timelines[side.name] = visit(engine, side, run)
                visits.append(measured)
                _say(measured)
            if len({v.run for v in report.undisturbed(visits)}) == options.runs:
                break
    all_visits, visits = visits, report.undisturbed(visits) or visits
    for name, timeline in timelines.items():
        print(f"\nLast visit of {name}, seconds since the click:")
        print("\n".join(f"  {when:7.3f}  {what}" for when, what in timeline))
    print(f"\n{report.table(visits)}\n\n{report.stages(visits)}")
    if options.only:
        return 0
    found = report.facts(engine)
    path = report.save(all_visits, found, timelines)
    report.write_page(visits, found, path)
    print(f"\nWritten: {path.relative_to(ROOT)} and docs/benchmarks.md")
    missed = [line for line in report.lines(visits) if not line.is_met]
    return 1 if missed and options.check else 0


def _start(stack: ExitStack, engine: Engine, options: argparse.Namespace) -> list[Side]:
    """Start what is to be measured and let each side have its first visit."""
    sides: list[Side] = []
    image = options.image
    if options.only != "peer":
        ours = stack.enter_context(our_side.running(engine))
        sides.append(ours)
        visit(engine, ours, _WARM_UP)
        image = ours.image()
    if options.only != "firstbell":
        peer = stack.enter_context(peer_side.running(engine, image))
        sides.append(peer)
        visit(engine, peer, _WARM_UP)
    return sides


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__, epilog="bench/run builds --help: builds.")
    parser.add_argument("--runs", type=int, default=9, help="counted visits of each side (default: 9)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    parser.add_argument("--only", choices=("firstbell", "peer"), help="measure one side and write nothing down")
    parser.add_argument("--image", default="", help="with --only peer: the course image to put its layer on")
    options = parser.parse_args()
    if options.only == "peer" and not options.image:
        parser.error("--only peer needs --image; Firstbell's own course image is used where Firstbell runs too")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def _agree(question: str, instead: str) -> None:
    """Whoever runs a benchmark wants what it needs."""
    del instead
    print(question, flush=True)


def _tell(progress: Progress) -> None:
    if not progress.is_output:
        print(progress.text, flush=True)


def _say(measured: Visit) -> None:
    print(
        f"{measured.run:3d} {measured.side:10} click → Lab {measured.click_to_lab:6.2f} s   "
        f"memory {measured.memory / 1e6:4.0f} MB   CPU {measured.start_cpu:5.2f} s "
        f"(server {measured.server_cpu:.2f})   busy before {measured.busy_before:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
