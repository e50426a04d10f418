"""`python -m bench.records [PEOPLE] [WEEKS]`: what the record costs the hub; by hand, a minute, without an engine.

CPU is the process's own time, so that a loaded machine changes little: of a busy hour (everybody logs in, starts and
ends a server), of a crowd (the same within fifteen seconds), of the samples of memory, and of one look at the page of a
whole term. Answers one line of JSON; shares are of one core.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from firstbell.hub.records.chain import END, LOGIN, START
from firstbell.hub.records.endings import IDLE
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Record, Sought
from firstbell.hub.records.usage import Usage
from firstbell.hub.records.write import New
from firstbell.hub.term.files import read_term
from firstbell.hub.term.plots import pictures
from firstbell.hub.term.samples import EVERY, LOOK, Sampler
from firstbell.hub.term.svg import on_page
from firstbell.model.container import GIB
from firstbell.model.proc import parse_meminfo
from firstbell.plan.memory_room import MachineMemory

WEEK, DAY = 7 * 24 * 3600, 24 * 3600
LESSONS = 2
"""In a week, each person."""
ZONE = ZoneInfo("Europe/Berlin")


def cpu(act: Callable[[], object]) -> float:
    """Seconds of this process, threads included, in the middle of three turns."""
    turns = []
    for _ in range(3):
        before = time.process_time()
        act()
        turns.append(time.process_time() - before)
    return statistics.median(turns)


def notes(folder: Path, people: int, seconds: float) -> float:
    """CPU of everybody's login, start and end, spread over that time, written as the hub does it."""
    usage = Usage()
    usage.begin(folder / FILE, 365)
    before, began = time.process_time(), time.monotonic()
    for number in range(people):
        name = f"s{number:03}"
        usage.login(name, "roster")
        usage.start(name, name, "ready", "2.1 s")
        usage.end(name, IDLE)
        time.sleep(max(0.0, began + seconds * (number + 1) / people - time.monotonic()))
    usage.close()
    return time.process_time() - before


def sampling(folder: Path) -> float:
    """CPU of the looks and the row of five minutes."""

    def memory() -> MachineMemory:
        facts = parse_meminfo(Path("/proc/meminfo").read_text())
        return MachineMemory(facts["MemTotal"], facts["MemAvailable"], 100, 10 * GIB)

    sampler = Sampler(folder / "samples.sqlite", 365, memory, lambda: 100)

    def minutes() -> None:
        for _ in range(int(EVERY / LOOK)):
            sampler.look()
        sampler.write()

    return cpu(minutes)


def write_term(folder: Path, people: int, weeks: int) -> int:
    """A term's entries; how many."""
    chance, now = random.Random(1), time.time()
    news: list[New] = []
    for number in range(people):
        name = f"s{number:03}"
        for lesson in range(weeks * LESSONS):
            begin = now - (lesson + 1) * WEEK / LESSONS + chance.uniform(0, 3600)
            news += [
                New(LOGIN, "roster", name, name, at=begin - 5),
                New(START, "ready", name, name, "2.1 s", at=begin),
                New(END, "idle", "idle rule", name, at=begin + chance.uniform(1800, 7200)),
            ]
    with closing(Record(folder / FILE)) as record:
        record.add(*sorted(news, key=lambda new: new.at or 0.0))
    return len(news)


def page(folder: Path, weeks: int) -> None:
    """What a look at the page reads and draws."""
    now = time.time()
    term = read_term(folder, now - weeks * WEEK, now, ZONE)
    for picture in pictures(term):
        on_page(picture)
    with closing(Record(folder / FILE)) as record:
        record.find(Sought(now - weeks * WEEK, newest=101))


def main() -> None:
    """All of it."""
    people, weeks = (int(word) for word in (*sys.argv[1:], "500", "26")[:2])
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        folder = Path(name)
        for part in ("slow", "crowd", "term"):
            (folder / part).mkdir()
        slow, crowd, row = (
            notes(folder / "slow", people // 10, 30),
            notes(folder / "crowd", people, 15),
            sampling(folder),
        )
        entries = write_term(folder / "term", people, weeks)
        found = {
            "people": people,
            "weeks": weeks,
            # One by one costs more than in a crowd: a tenth of the people in 30 s is more often than an hour's.
            "busy_hour_percent": 100 * slow * 10 / 3600,
            "crowd_percent": 100 * crowd / 15,
            "samples_percent": 100 * row / EVERY,
            "page_of_term_cpu_seconds": cpu(lambda: page(folder / "term", weeks)),
            "page_of_four_weeks_cpu_seconds": cpu(lambda: page(folder / "term", 4)),
            "entries_of_term": entries,
            "bytes_of_an_entry": (folder / "term" / FILE).stat().st_size / entries,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}))


if __name__ == "__main__":
    main()
