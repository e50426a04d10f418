"""What `firstbell activity` asks of a hub; verbs of `firstbell.hub.control`.

| verb | arguments | answer |
|---|---|---|
| `activity` | Unix seconds, a user name | what happened since then, of all or of that person, newest first |
| `activity-plot` | Unix seconds, a user name | the use since then as a picture: `svg` |
| `activity-check` | an earlier head, `NUMBER:HASH` | whether the record is as it was written; `found`: what is not |
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.errors import CourseFileError
from firstbell.hub.control_io import HubFiles
from firstbell.hub.records.check import check
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Line, Record

MOST = 100
"""Findings that are told; how many there are is told, too."""


def answer(hub: HubFiles, verb: str, words: Sequence[str]) -> Any:
    """What the verb answers. Raises FirstbellError."""
    match verb:
        case "activity-check":
            return checked(hub.state, *words)
        case "activity-plot":
            return plotted(hub.state, hub.course.time_zone, *words)
        case _:
            return activity(hub.state, *words)


def plotted(state: Path, zone: str, since: str, of: str = "") -> dict[str, str]:
    """The plots of the hub's page below each other; since the first entry where `since` is before it."""
    from firstbell.hub.term.files import first_entry, read_term
    from firstbell.hub.term.plots import pictures
    from firstbell.hub.term.svg import as_file

    now = time.time()
    begin = min(max(float(since), first_entry(state, now)), now)
    return {"svg": as_file(pictures(read_term(state, begin, now, ZoneInfo(zone), of)))}


def activity(state: Path, since: str = "0", of: str = "") -> list[dict[str, Any]]:
    """Everything since then, newest first."""
    with closing(Record(state / FILE)) as record:
        return [_told(line) for line in record.lines(float(since), of)]


def checked(state: Path, head: str = "") -> dict[str, Any]:
    """Whether the record is whole. Raises CourseFileError for a head that is none."""
    with closing(Record(state / FILE)) as record:
        try:
            found = asdict(check(record.db, head))
        except ValueError:
            raise CourseFileError(
                f'"{head}" is no head of a record', next_step="Give what an earlier check printed: NUMBER:HASH"
            ) from None
    return {**found, "found": found["found"][:MOST], "findings": len(found["found"])}


def _told(line: Line) -> dict[str, Any]:
    at = datetime.fromtimestamp(line.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**asdict(line), "at": at}
