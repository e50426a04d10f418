"""Assignments, hand-ins and manifests as values."""

from __future__ import annotations

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.coursework import (
    Coursework,
    Handin,
    HandinKind,
    Manifest,
    Refused,
    TakenFile,
    counting,
    folder_of,
    parse_assignment,
)

MANIFEST = Manifest(
    course="stats",
    assignment="hw1",
    user="ada",
    kind=HandinKind.EARLY,
    time=1000.0,
    taken=1001.0,
    by="ada",
    files=(TakenFile("a.ipynb", 3, "ab" * 32),),
    refused=(Refused("link", "a symbolic link"),),
)


def handin(name: str, time: float, kind: HandinKind = HandinKind.EARLY, by: str = "ada") -> Handin:
    return Handin(name, name, "hw1", "ada", kind, time, time, by, 1, 3, 0)


@pytest.mark.parametrize("name", ["hw1", "week-2", "A_b.c", "1"])
def test_plain_folder_names_are_names(name: str):
    """What is a plain folder everywhere can be an assignment."""
    assert parse_assignment(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a+b", "-rf", ".hidden", "a b", "ä", "x" * 64, "a\n"])
def test_other_names_are_refused(name: str):
    """A path, a hidden folder, an option or what nbgrader forbids can be none."""
    with pytest.raises(ValueError, match="cannot be the name"):
        parse_assignment(name)


@pytest.mark.parametrize("user", ["", ".", "..", "a/b", "a\0b", ".ada", "ä" * 128])
def test_users_that_can_be_no_folder_are_refused(user: str):
    """An external login may have such names; none of them leads out of the coursework."""
    with pytest.raises(CourseFileError):
        folder_of(user)


@pytest.mark.parametrize("folder", ["/etc", "../x", "a/../b", ".ssh", "a//b"])
def test_the_folder_of_assignments_is_in_the_home(folder: str):
    """Nothing outside of the home, and no hidden folder, is written to."""
    with pytest.raises(ValueError, match="folder inside the home"):
        Coursework(folder=folder)


def test_a_manifest_is_its_text():
    """What is read back is the same, receipt included."""
    assert Manifest.of(MANIFEST.text) == MANIFEST
    assert Manifest.of(MANIFEST.text).receipt == MANIFEST.receipt
    assert MANIFEST.receipt.startswith(MANIFEST.id)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"files": [1], "refused": []}', b"\xff"])
def test_rubbish_is_no_manifest(text: bytes):
    """Whatever is no manifest is refused with a ValueError."""
    with pytest.raises(ValueError):
        Manifest.of(text)


def test_the_last_before_the_deadline_counts():
    """Of several hand-ins the last in time counts, whatever the deadline's snapshot has."""
    first, second, late = handin("a", 10), handin("b", 20), handin("c", 31, HandinKind.LATE)
    snapshot = handin("d", 30, HandinKind.DEADLINE, by="hub")
    assert counting([late, snapshot, second, first], 30.0) == second


def test_without_a_hand_in_the_deadlines_snapshot_counts():
    """Nobody has to hand in; what staff looked at before does not count then."""
    looked = handin("a", 10, by="boss")
    snapshot = handin("d", 30, HandinKind.DEADLINE, by="hub")
    assert counting([snapshot, looked], 30.0) == snapshot
    assert counting([looked], 30.0) == looked


def test_an_extension_makes_late_work_count():
    """The deadline at the time of asking decides, not the one at the time of the hand-in."""
    late = handin("c", 31, HandinKind.LATE)
    assert counting([late], 30.0) is None
    assert counting([late], 40.0) == late
    assert counting([late], None) == late
