"""How backups are told to a person."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from rich.status import Status

from firstbell.backup.backups import table_of, words_of
from firstbell.backup.standing import Standing
from firstbell.cli.common import load
from firstbell.cli.show import Terminal, plural, size
from firstbell.errors import CourseFileError
from firstbell.model.backup_table import BackupTable
from firstbell.model.course import Course
from firstbell.model.image import Progress

_EVERY = 10.0
"""Seconds between two lines where nothing can be drawn."""
_NAMED = 8


class Progressing:
    """One line that says what is at work: drawn on a terminal, else told now and then."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._status = Status("", console=terminal.err)
        self._told = float("-inf")

    def __enter__(self) -> Self:
        if self._terminal.err.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def tell(self, done: int, all_: int, words: str) -> None:
        """See `backups.Tell`."""
        self._line(f"{done} of {all_}: {words}" if all_ > 1 else words)

    def report(self, progress: Progress) -> None:
        """A line of a build."""
        self._line(progress.text)

    def _line(self, text: str) -> None:
        if self._terminal.err.is_terminal:
            self._status.update(text)
        elif time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            self._terminal.note(text)


def load_with_backups(path: Path) -> Course:
    """The course, for what works with its backups: on an empty machine there may be nothing of it but this file.

    Raises CourseFileError where there is no [backup], or a secret of it is not there.
    """
    course = load(path)
    table = table_of(course)
    for key, secret in (("password", table.password), *((f"environment.{n}", s) for n, s in table.environment.items())):
        if not secret.reveal():
            kind, _, name = secret.source.partition(":")
            raise CourseFileError(
                f"the environment variable {name} is not set"
                if kind == "env"
                else f"the file {name} is missing or empty",
                where=f"[backup] {key}",
                next_step=f"export {name}=…" if kind == "env" else "Put the secret, and nothing else, into that file.",
            )
    return course


def moment(at: float, zone: ZoneInfo) -> str:
    """By the course's clock, to the second: several runs may be in one minute."""
    return dt.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def ago(seconds: float) -> str:
    """A length of time in its largest unit."""
    for length, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return plural(int(seconds // length), word)
    return plural(max(0, int(seconds)), "second")


def lines_of(
    stands: Standing, stored: int, orders: Mapping[str, Any], table: BackupTable, zone: ZoneInfo
) -> Iterator[tuple[str, str]]:
    """The lines of `backup status`, each with its style."""
    if stands.time is None:
        yield "No backup of the whole course yet.", "red"
    else:
        age = ago(time.time() - stands.time)
        yield f"Last complete backup: {moment(stands.time, zone)}, {age} ago.", "green" if stands.is_well else "red"
    parts = "each home, the hub's state, the coursework"
    yield f"{stands.good} of {stands.subjects} parts have a good one ({parts}).", ""
    if stands.late:
        named = ", ".join(words_of(one) for one in stands.late[:_NAMED])
        more = f" and {len(stands.late) - _NAMED} more" if len(stands.late) > _NAMED else ""
        yield f"Too old, or missing: {named}{more}.", "red"
    yield f"{plural(stands.snapshots, 'snapshot')} in {table.to}, {size(stored)} in all.", ""
    for order in orders["open"]:
        how_far = f", {order['done']} of {order['all']}: {order['words']}" if order["all"] else ""
        yield f"Under way: {order['kind']}{how_far}.", "cyan"
    for kind, order in orders["last"].items():
        if kind != "restore":
            style = "red" if order["state"] == "failed" else ""
            when = moment(order["ended"], zone) if order["ended"] else ""
            yield f"Last {kind}: {when} {order['state']}: {order['words']}", style
