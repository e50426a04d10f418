"""The roster as the hub reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.hub.people.book import PeopleStore
from firstbell.hub.people.roster_file import SETTLED, RosterFile

HEADER = "username,name\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> PeopleStore:
    return PeopleStore(tmp_path / "people.sqlite", b"k" * 32)


def names(roster: RosterFile) -> list[str]:
    return [person.username for person in roster.current().people]


def test_a_change_counts_once_it_has_settled(tmp_path: Path, store: PeopleStore) -> None:
    """A file that is being written is not read half-way."""
    clock, path = Clock(), tmp_path / "roster.csv"
    path.write_text(HEADER + "grace,\nlinus,\n")
    roster = RosterFile(path, store, clock)
    assert names(roster) == ["grace", "linus"]
    path.write_text(HEADER + "gra")
    assert names(roster) == ["grace", "linus"]
    clock.now += SETTLED / 2
    path.write_text(HEADER + "grace,\nada,\n")
    assert names(roster) == ["grace", "linus"]
    clock.now += SETTLED
    assert names(roster) == ["grace", "ada"]


@pytest.mark.parametrize(
    "bad", ["", "no header\n", HEADER + "a b,\n", HEADER + "grace,\nGRACE,\n", None, b"\xff\xfe\x00"]
)
def test_a_bad_file_changes_nothing(tmp_path: Path, store: PeopleStore, bad: str | bytes | None) -> None:
    """Missing, empty or malformed: the last good roster holds, also for the next hub."""
    clock, path = Clock(), tmp_path / "roster.csv"
    path.write_text(HEADER + "grace,\n")
    roster = RosterFile(path, store, clock)
    assert names(roster) == ["grace"]
    if bad is None:
        path.unlink()
    else:
        path.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
    for _ in range(3):
        clock.now += SETTLED
        assert names(roster) == ["grace"]
    assert names(RosterFile(path, store, clock)) == ["grace"]


def test_before_there_was_a_roster_nobody_is_known(tmp_path: Path, store: PeopleStore) -> None:
    """No file is not an empty list: nobody may enter, and nobody may be removed."""
    roster = RosterFile(tmp_path / "roster.csv", store, Clock())
    assert names(roster) == []
    assert not roster.is_known
