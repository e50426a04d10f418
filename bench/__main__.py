"""Firstbell beside what it is compared with, on this machine: measured, written down, cleared away."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

from bench import builds, figures, machine, page
from bench.engine import Engine
from bench.janitor import clean, only_one_at_a_time, watched
from bench.options import Options
from bench.record import PLOTS, Record, newest
from bench.side import ROOT
from firstbell.model.image import Progress
from firstbell.work.machine import ensure_engine

BENCHMARKS = {
    "start": "one person, cold: time, memory, CPU                    5 min, --quick 3",
    "crowd-warm": "220 people into servers that run                       7 min, --quick 5",
    "crowd-cold": "30 people, cold, in fair order                         4 min, --quick 3",
    "notebook": "open a notebook → first result; memory with a kernel   3 min, --quick 2",
    "first-page": "bytes and CPU of the first page in Chromium            4 min, --quick 2",
    "logins": "CPU of the hub per login to a warm server              3 min, --quick 2",
    "rehearsal": "rehearse with 60 people beside Chromium windows      5 min, --quick 5",
    "swarm": "60 people, cold and warm, on a Swarm of three nodes  25 min, --quick 15",
    "coursework": "release to 220 homes, collect from them, grade 40     8 min, --quick 5",
    "backups": "back up 100 homes while 30 people work            15 min, --quick 3",
    "growth": "50 to 400 simulated servers, a day of comings and goings  6 min, --quick 4",
}
"""In the order in which `all` takes them. Each is a module of this package with `run(engine, options) -> Record`."""
_INTERRUPTED = 130


def main() -> int:
    """Exit code 0 once all is measured; 1 with --check where a goal is missed, or where a benchmark failed."""
    if sys.argv[1:2] == ["builds"]:
        return builds.main(sys.argv[2:])
    options = _options()
    if options.names == ["report"]:
        _write_page()
        return 0
    machine.allow_many_files()
    asyncio.run(ensure_engine("", ask=_agree, report=_tell))
    engine = Engine()
    if options.names == ["clean"]:
        clean(engine)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_INTERRUPTED))
    with only_one_at_a_time(), watched():
        return _run_all(engine, options)


def _run_all(engine: Engine, options: argparse.Namespace) -> int:
    wanted = list(BENCHMARKS) if options.names == ["all"] else options.names
    failed, missed = [], 0
    for name in wanted:
        if options.resume and _is_fresh(name):
            print(f"── {name}: measured today at this commit", flush=True)
            continue
        try:
            missed += len(_run(engine, name, options).missed)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        finally:
            clean(engine)
    if failed:
        print(f"\nNot measured: {', '.join(failed)}. Again: bench/run {' '.join(failed)}", flush=True)
    return 1 if failed or (options.check and missed) else 0


def _run(engine: Engine, name: str, options: argparse.Namespace) -> Record:
    print(f"\n── {name}", flush=True)
    began = time.monotonic()
    run: Callable[[Engine, Options], Record] = import_module(f"bench.{name.replace('-', '_')}").run
    record = run(engine, Options(quick=options.quick, runs=options.runs, people=options.people))
    print(f"\n{figures.table(record.figures, record.beside)}\n", flush=True)
    for text in record.tables:
        print(f"{text}\n", flush=True)
    if options.dry_run:
        return record
    record.save()
    _write_page()
    places = [record.csv, page.PAGE, *(PLOTS / f"{plot}.svg" for plot in record.plots)]
    shown = ", ".join(str(place.relative_to(ROOT)) for place in places)
    print(f"Written in {time.monotonic() - began:.0f} s: {shown}", flush=True)
    return record


def _write_page() -> None:
    page.write([found for name in BENCHMARKS if (found := newest(name))], BENCHMARKS)


def _is_fresh(name: str) -> bool:
    record = newest(name)
    if record is None:
        return False
    today = time.strftime("%Y-%m-%d", time.gmtime())
    same = record.machine["commit"].removesuffix("-dirty") == machine.commit().removesuffix("-dirty")
    return same and bool(record.machine["date"].startswith(today))


def _options() -> argparse.Namespace:
    lines = "\n".join(f"  {name:11} {said}" for name, said in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"benchmarks:\n{lines}\n  builds      has options of its own: bench/run builds --help\n"
        "\n  all         all of them but builds\n  report      write the page again from the results"
        "\n  clean       remove what a killed run left",
    )
    parser.add_argument("names", nargs="*", default=["start"], metavar="NAME", help="see below (default: start)")
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--runs", type=int, default=0, help="counted turns of each side, where there are turns")
    parser.add_argument("--people", type=int, default=0, help="a smaller crowd, to try it out")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    parser.add_argument("--resume", action="store_true", help="leave out what was measured today at this commit")
    parser.add_argument("--dry-run", action="store_true", help="measure and print, but write nothing down")
    options = parser.parse_args()
    special = {"all", "report", "clean"}
    if unknown := [name for name in options.names if name not in BENCHMARKS and [name] != options.names]:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    if len(options.names) == 1 and options.names[0] not in special | set(BENCHMARKS):
        parser.error(f"no such benchmark: {options.names[0]}")
    if min(options.runs, options.people) < 0:
        parser.error("--runs and --people are at least 1")
    return options


def _agree(question: str, instead: str) -> None:
    """Whoever runs a benchmark wants what it needs."""
    del instead
    print(question, flush=True)


def _tell(progress: Progress) -> None:
    if not progress.is_output:
        print(progress.text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
