"""A crowd of people, sent in by the client that `firstbell rehearse` uses: the same for each side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import machine, stats
from bench.measure import wait_for_quiet
from bench.side import Visited
from firstbell.rehearsal.crowd import CrowdResult, arrivals, drive
from firstbell.rehearsal.visit import Person, Script, Visit

PEER_NAMES = 1000
"""The crowd's first number: a name that no single visitor before it has."""
_PLACE = re.compile(r"\b(you are next|(\d+|one) (people|person)s? (are|is) before you)\b", re.IGNORECASE)
_ESTIMATE = re.compile(r"\babout (a|an|\d+) (second|minute|hour)s?\b", re.IGNORECASE)
_CALM = 15.0
"""Seconds for which a crowd waits for a quiet machine: with hundreds of idle servers it may never be."""
NOTICED = 2.0
"""Seconds after which a wait is one: about as often the page tells its place anew."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How it went."""

    result: CrowdResult
    service_cpu: float
    """Of hub and proxies, from the first arrival until all had gone."""
    machine_cpu: float
    busy_before: float

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Of everybody."""
        return self.result.visits

    @property
    def failed(self) -> list[Visit]:
        """Who did not get to the Lab page."""
        return [visit for visit in self.visits if not visit.is_well]

    @property
    def waits(self) -> list[float]:
        """Seconds from the click to the Lab page, of those who got there."""
        return [visit.marks["lab"] for visit in self.visits if "lab" in visit.marks]

    @property
    def client_cpu(self) -> float:
        """CPU seconds of the clients."""
        return sum(load.cpu for load in self.result.loads)

    def wait(self, percent: float) -> tuple[float, ...]:
        """The percentile of the waits; nothing where nobody got in."""
        return (stats.percentile(self.waits, percent),) if self.waits else ()

    def told(self) -> str:
        """The client in half a sentence, for the page."""
        busiest = max((load.busiest for load in self.result.loads), default=0.0)
        alarm = ", too busy to tell the course's delays from its own" if self.result.client_was_measured else ""
        return f"{self.client_cpu:.1f} s of CPU, {100 * busiest:.0f} % of a core in its busiest second{alarm}"

    def causes(self) -> dict[str, int]:
        """Why some did not get in, with how many."""
        found = [f"{visit.failed_at}: {visit.cause}" for visit in self.failed]
        return {cause: found.count(cause) for cause in dict.fromkeys(found)}


def send(side: Visited, people: int, within: float, *, calls: bool = True, first: int = PEER_NAMES) -> Crowd:
    """So many new people, evenly within so many seconds; whoever is at the Lab page goes.

    `calls`: whether the page's first calls are made; its files are not fetched. Both sides get the same.
    """
    script = Script(side.url, files=False, calls=calls, works=False, deadline=600)
    crowd = [Person(number, fields=side.fields(first + number)) for number in range(people)]
    busy = wait_for_quiet(_CALM)
    service, everything = side.service_cpu(), machine.cpu()
    result = asyncio.run(drive(script, arrivals(crowd, within)))
    found = Crowd(result, side.service_cpu() - service, machine.cpu() - everything, round(busy, 2))
    print(
        f"    {side.name:10} {people} within {within:g} s: {len(found.failed)} failed, "
        + ", ".join(f"p{percent:g} {value:.2f} s" for percent in (50, 95, 100) for value in found.wait(percent))
        + f"; client {found.told()}",
        flush=True,
    )
    for cause, count in found.causes().items():
        print(f"      {count} × {cause}", flush=True)
    return found


def alone(side: Visited, times: int, *, calls: bool = True, first: int = 0) -> list[Crowd]:
    """One person after the other, each new; the machine is quiet before each."""
    return [send(side, 1, 1.0, calls=calls, first=first + number) for number in range(times)]


def rows(part: str, run: int, crowd: Crowd) -> list[Mapping[str, Any]]:
    """A line of the CSV file for each visit."""
    began = crowd.result.began
    return [
        {
            "part": part,
            "run": run,
            "person": visit.number,
            "arrived": round(visit.arrived - began, 3),
            "spawn_page": visit.marks.get("spawn_page", ""),
            "ready": visit.marks.get("ready", ""),
            "lab": visit.marks.get("lab", ""),
            "place_told": is_explained(visit),
            "failed_at": visit.failed_at,
            "cause": visit.cause,
        }
        for visit in crowd.visits
    ]


def is_explained(visit: Visit) -> bool:
    """Whether the page told this person their place and about how long it takes."""
    return any(_PLACE.search(said) and _ESTIMATE.search(said) for _, said in visit.told)


def waited(visits: Sequence[Visit]) -> list[Visit]:
    """Who waited long enough to wonder: whose server's start did not begin at once.

    Of those who got in: the time until the first event that tells of the start itself.
    """
    return [visit for visit in visits if _queued(visit) > NOTICED]


def _queued(visit: Visit) -> float:
    """Seconds from the page that shows the start until it first told of something else than waiting."""
    shown = visit.marks.get("spawn_page", 0.0)
    later = [when for when, said in visit.told if not _ESTIMATE.search(said) and said != "Server requested"]
    return min(later, default=visit.marks.get("ready", shown)) - shown


def clicked(visit: Visit) -> float:
    """When that was (Unix seconds)."""
    return visit.arrived + visit.marks.get("front", 0.0)


def done(visit: Visit) -> float:
    """When the Lab page was there (Unix seconds)."""
    return clicked(visit) + visit.marks["lab"]
