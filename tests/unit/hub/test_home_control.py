"""A home that is held while it moves."""

from __future__ import annotations

from pathlib import Path
from time import time

import pytest

from firstbell.errors import CourseFileError, HomeMissing
from firstbell.hub.homes import control as home_control
from firstbell.hub.homes.control import answer, refuse_while_moving
from firstbell.hub.people.book import PeopleStore


@pytest.fixture
def store(tmp_path: Path) -> PeopleStore:
    made = PeopleStore(tmp_path / "people.sqlite", b"k" * 32)
    made.record_home("ada", "node1")
    return made


def test_nobody_starts_while_a_home_moves(store):
    """From hold to release the start is refused in words; others are not concerned."""
    answer(store, "home-hold", ["ada", "t1", "node2"])
    with pytest.raises(HomeMissing, match="being moved to node2"):
        refuse_while_moving(store, "ada")
    refuse_while_moving(store, "ben")
    assert answer(store, "home-switch", ["ada", "t1", "node2"]) == {"user": "ada", "node": "node2"}
    answer(store, "home-release", ["ada", "t1"])
    refuse_while_moving(store, "ada")
    assert answer(store, "home-nodes", []) == {"ada": "node2"}


def test_one_command_at_a_time(store):
    """A second one is refused, can neither switch nor release; the first may hold for longer."""
    answer(store, "home-hold", ["ada", "t1", "node2"])
    with pytest.raises(CourseFileError, match="another command"):
        answer(store, "home-hold", ["ada", "t2", "node3"])
    with pytest.raises(CourseFileError, match="stays where it was"):
        answer(store, "home-switch", ["ada", "t2", "node3"])
    answer(store, "home-release", ["ada", "t2"])
    answer(store, "home-hold", ["ada", "t1", "node2"])


def test_a_killed_command_holds_nobody_for_long(store, monkeypatch):
    """The hold is over by itself; its command, should it live on, can no longer switch. A wrong clock holds nobody."""
    answer(store, "home-hold", ["ada", "t1", "node2"])
    now = time()
    for then in (now + home_control.HOLD_SECONDS + 1, now - 3600):
        monkeypatch.setattr(home_control, "time", lambda then=then: then)
        refuse_while_moving(store, "ada")
        with pytest.raises(CourseFileError, match="not heard for too long"):
            answer(store, "home-switch", ["ada", "t1", "node2"])
