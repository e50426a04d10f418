"""Where rehearsals are kept on the machine of whoever ran them: report, numbers, and what the next is compared with."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from firstbell.errors import FirstbellError
from firstbell.rehearsal.record import Record, record_from
from firstbell.rehearsal.report import MACHINE_FILE, PEOPLE_FILE, machine_csv, page, people_csv
from firstbell.rehearsal.verdict import Verdict
from firstbell.rehearsal.visit import Visit

REPORT_FILE = "report.html"
_RECORD_FILE = "rehearsal.json"


def rehearsals(course: str = "") -> Path:
    """The folder of all rehearsals, or of one course's (XDG Base Directory Specification: state)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(base) / "firstbell" / "rehearsals" / course


def last_record(course: str = "") -> Record | None:
    """The last rehearsal of that course, or of any; None where there is none that can be read."""
    found = sorted(rehearsals(course).glob(f"{'' if course else '*/'}*/{_RECORD_FILE}"), key=lambda p: p.parent.name)
    for path in reversed(found):
        try:
            return record_from(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of another version, or cut off: an earlier one will do
    return None


def keep(record: Record, visits: Sequence[Visit], verdict: Verdict, last: Record | None, out: Path | None) -> Path:
    """Write everything into `out`, or into a folder of its own; the report's path. Raises FirstbellError."""
    stamp = datetime.fromtimestamp(record.began, UTC).strftime("%Y%m%dT%H%M%SZ")
    own = rehearsals(record.course) / stamp
    folder = out or own
    try:
        for each in {own, folder}:
            each.mkdir(parents=True, exist_ok=True)
        (folder / REPORT_FILE).write_text(page(record, visits, verdict, last), encoding="utf-8")
        (folder / PEOPLE_FILE).write_text(people_csv(visits, record.began), encoding="utf-8")
        (folder / MACHINE_FILE).write_text(machine_csv(record), encoding="utf-8")
        # Last, and last of all its name: a rehearsal that is there is whole.
        draft = own / f".{_RECORD_FILE}"
        draft.write_text(json.dumps(asdict(record), ensure_ascii=False), encoding="utf-8")
        draft.replace(own / _RECORD_FILE)
    except OSError as error:
        raise FirstbellError(
            f"the report cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(folder),
            next_step="Choose another folder: --out FOLDER",
        ) from error
    return folder / REPORT_FILE
