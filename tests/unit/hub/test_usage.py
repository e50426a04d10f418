"""Logins, starts and ends, written beside the hub's work and never in its way."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from firstbell.hub.records import usage as module
from firstbell.hub.records.check import check
from firstbell.hub.records.endings import IDLE, Ending
from firstbell.hub.records.file import FILE
from firstbell.hub.records.record import Line, Record
from firstbell.hub.records.usage import Usage
from firstbell.hub.rehearsals.book import RehearsalBook

DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "AGAIN", 0.01)


def lines(path: Path) -> list[Line]:
    record = Record(path)
    try:
        assert check(record.db).found == ()
        return [line for line in reversed(record.lines()) if line.kind != "begun"]
    finally:
        record.close()


def written(path: Path, number: int) -> bool:
    return path.exists() and len(lines(path)) == number


def wait(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_people_and_servers_do_is_in_the_record(tmp_path: Path) -> None:
    """Who came and left, what was started by whom in what time, and how it ended; at the time it happened."""
    clock = [1000.0]
    usage = Usage(lambda: clock[0])
    usage.login("ada", "roster")
    usage.start("ada", "ada", "ready", "2.1 s")
    clock[0] = 2000.0
    usage.end("ada", IDLE)
    usage.logout("ada")
    usage.begin(tmp_path / FILE, 365)
    usage.close()
    assert [(line.at, line.kind, line.what, line.who, line.whom, line.words) for line in lines(tmp_path / FILE)] == [
        (1000.0, "login", "roster", "ada", "ada", ""),
        (1000.0, "start", "ready", "ada", "ada", "2.1 s"),
        (2000.0, "end", "idle", "idle rule", "ada", ""),
        (2000.0, "logout", "", "ada", "ada", ""),
    ]


def test_an_end_that_a_killed_hub_did_not_write_is_noted(tmp_path: Path) -> None:
    """Of those whose server is neither there nor known to have ended; once, and before they start another."""
    first = Usage()
    first.begin(tmp_path / FILE, 365)
    for user in ("ada", "bob", "cyd", "dan"):
        first.start(user, user, "ready", "2.1 s")
    first.end("bob", IDLE)
    first.start("dan", "dan", "failed", "no image")
    first.close()
    for _ in range(2):
        later = Usage()
        later.found(["cyd"])
        later.start("ada", "ada", "ready", "1.0 s")
        later.begin(tmp_path / FILE, 365)
        later.close()
    told = [(line.kind, line.what, line.whom) for line in lines(tmp_path / FILE)][6:]
    again = [("end", "unseen", "ada"), ("start", "ready", "ada")]
    assert told == [again[0], ("end", "unseen", "dan"), again[1], *again]


def test_notes_are_written_while_the_hub_runs(tmp_path: Path) -> None:
    """Not only at its end: whoever asks a second later finds them."""
    usage = Usage()
    usage.begin(tmp_path / FILE, 365)
    for n in range(3):
        usage.login(f"user{n}", "seminar")
        wait(partial(written, tmp_path / FILE, n + 1))
    usage.close()


def test_test_people_of_a_rehearsal_are_not_in_it(tmp_path: Path) -> None:
    """They are nobody, also on a seminar's seats, and a rehearsal is no day of the course."""
    book = RehearsalBook(tmp_path)
    book.open(seats_before=6)
    book.add(["rehearsal-ab-001", "seat-7"])
    usage = Usage()
    for name in ("rehearsal-ab-001", "seat-6", "seat-7"):
        usage.login(name, "seminar")
    usage.begin(tmp_path / FILE, 365)
    usage.close()
    assert [line.who for line in lines(tmp_path / FILE)] == ["seat-6"]


def test_a_file_that_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk costs nobody a login, is said once, and what was noted meanwhile is written when there is room."""
    real, failures = Record.add, [0]

    def full(self: Record, *news: Any) -> list[int]:
        if failures[0] < 3:
            failures[0] += 1
            raise sqlite3.OperationalError("database or disk is full")
        return real(self, *news)

    monkeypatch.setattr(Record, "add", full)
    usage = Usage()
    with caplog.at_level(logging.ERROR, "firstbell.acts"):
        usage.begin(tmp_path / FILE, 365)
        usage.login("ada", "roster")
        wait(lambda: (tmp_path / FILE).exists() and lines(tmp_path / FILE))
    usage.close()
    assert failures == [3] and [line.who for line in lines(tmp_path / FILE)] == ["ada"]
    assert sum("could not be written" in message for message in caplog.messages) == 1


def test_what_becomes_too_much_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has a bound, and the record says how many entries it lacks."""
    monkeypatch.setattr(module, "MOST", 10)
    usage = Usage()
    for n in range(25):
        usage.login(f"user{n}", "seminar")
    usage.begin(tmp_path / FILE, 365)
    usage.close()
    found = lines(tmp_path / FILE)
    assert [line.kind for line in found] == ["login"] * 10 + ["lost"]
    assert found[-1].words == "15 entries before this one could not be written"


def test_a_note_that_is_none_does_not_stop_the_others(tmp_path: Path) -> None:
    """A mistake of ours costs its batch, which is counted, and nothing after it."""
    usage = Usage()
    usage.end("ada", Ending(object()))  # type: ignore[arg-type]
    usage.begin(tmp_path / FILE, 365)
    wait(lambda: not usage._waiting)
    usage.login("ada", "roster")
    usage.close()
    assert {line.kind for line in lines(tmp_path / FILE)} == {"lost", "login"}


def test_old_entries_leave_by_themselves(tmp_path: Path) -> None:
    """What the course keeps for thirty days is not there on day forty."""
    clock = [0.0]
    for day in (0, 20, 40):
        clock[0] = day * DAY
        usage = Usage(lambda: clock[0])
        usage.login(f"day{day}", "roster")
        usage.begin(tmp_path / FILE, 30)
        usage.close()
    assert [line.who for line in lines(tmp_path / FILE) if line.kind == "login"] == ["day20", "day40"]
    assert b"day0" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_an_entry_costs_the_hub_next_to_nothing(tmp_path: Path) -> None:
    """Ten thousand people who come, work and go in a day are a small part of a core: under 0.5 ms each, all told."""
    record = Record(tmp_path / FILE)
    usage = Usage()
    for n in range(2000):
        usage.end(f"user{n % 200}", Ending("idle", "idle rule", "it was idle for an hour"))
    began = time.thread_time()
    usage._write(record)
    assert (time.thread_time() - began) / 2000 < 0.0005
