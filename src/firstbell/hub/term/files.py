"""The term as the hub's files know it: the record's starts and ends, and the samples of memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from firstbell.hub.records import file as record_file
from firstbell.hub.records.chain import END, START
from firstbell.hub.records.record import Record
from firstbell.hub.starts.log import Outcome
from firstbell.hub.term import samples as term_samples
from firstbell.hub.term.plots import MOST_SAMPLES, Term
from firstbell.hub.term.stays import DAY, Mark, stays

_BEFORE = 30 * DAY
"""Seconds before the time that is looked at in which a server may have begun that ran into it."""


def read_term(state: Path, begin: float, end: float, zone: ZoneInfo, of: str = "") -> Term:
    """That time, of all or of one person. Raises sqlite3.Error."""
    with closing(Record(state / record_file.FILE)) as record:
        marks = tuple(_marks(record, begin - _BEFORE, end, of))
    kept: tuple[term_samples.Sample, ...] = ()
    with suppress(sqlite3.Error):  # memory is not worth a page of people
        kept = term_samples.samples(state / term_samples.FILE, begin, end, MOST_SAMPLES)
    return Term(begin, end, zone, stays(marks, begin, end), kept)


def first_entry(state: Path, otherwise: float) -> float:
    """When the first entry was that is left; Unix seconds."""
    with closing(Record(state / record_file.FILE)) as record:
        (at,) = record.db.execute("SELECT min(at) FROM entries").fetchone()
    return otherwise if at is None else float(at)


def _marks(record: Record, since: float, until: float, of: str) -> Iterator[Mark]:
    """Oldest first. Names that were erased are the numbers that are left of them."""
    query = (
        "SELECT at, coalesce(name, 'person ' || whom), kind = ? FROM entries LEFT JOIN names ON number = whom"
        " WHERE (kind = ? OR (kind = ? AND what = ?)) AND at >= ? AND at < ? AND whom NOT NULL"
    )
    values: list[object] = [START, END, START, Outcome.READY, since, until]
    if of:
        query += " AND whom = ?"
        values.append(record.number(of))
    for at, whom, is_start in record.db.execute(f"{query} ORDER BY id", values):
        yield Mark(at, whom, bool(is_start))
