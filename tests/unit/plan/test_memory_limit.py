"""More memory for one person: what may be given, and how it is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.container import GIB, MIB
from firstbell.model.course import Course
from firstbell.plan.memory_limit import LONGEST, Grant, choices, read, refuse, told, words, written

NOW = 1_000_000.0
DAY = 86400.0


def course(**server: Any) -> Course:
    return Course(name="demo", url="http://127.0.0.1:1", server={"image": "x", "memory": "1G", **server})


@pytest.mark.parametrize(
    ("grant", "machine", "why"),
    [
        (Grant(GIB - 1, NOW + DAY), 0, "less than everybody has"),
        (Grant(5 * GIB, NOW + DAY), 0, "more than the course allows"),
        (Grant(4 * GIB, NOW + DAY), 4 * GIB, "more than one server can have here"),
        (Grant(2 * GIB, NOW), 0, "over already"),
        (Grant(2 * GIB, NOW + LONGEST + 1), 0, "more than a year away"),
        (Grant(2 * GIB, float("nan")), 0, "year"),
    ],
)
def test_what_cannot_be_given_is_refused_in_words(grant: Grant, machine: int, why: str) -> None:
    """Too little, too much for the course, too much for the machine, not now, too long; and what helps."""
    with pytest.raises(CourseFileError, match=why) as refused:
        refuse(course(), grant, NOW, machine)
    assert refused.value.next_step


def test_what_fits_is_given() -> None:
    """Up to four times as much, or what the course says; a machine of which nothing is known hinders nobody."""
    refuse(course(), Grant(4 * GIB, NOW + DAY), NOW, 0)
    refuse(course(memory_most="8G"), Grant(8 * GIB, NOW + DAY), NOW, 16 * GIB)
    with pytest.raises(ValueError, match="memory_most"):
        course(memory_most="512M")


def test_it_is_over_when_its_time_is() -> None:
    """What was written is read until then; a text that is damaged is nothing."""
    text = written({"ada": Grant(2 * GIB, NOW + 10), "bob": Grant(3 * GIB, NOW + 20)})
    assert read(text, NOW) == {"ada": Grant(2 * GIB, NOW + 10), "bob": Grant(3 * GIB, NOW + 20)}
    assert list(read(text, NOW + 10)) == ["bob"]
    for damaged in (None, "", "[]", "{", '{"ada": 3}', '{"ada": ["x", 1]}'):
        assert read(damaged, NOW) == {}


def test_what_is_offered_can_be_had() -> None:
    """Two, three, four times as much and the most there may be, as far as the machine has it."""
    assert choices(course(), 0) == (2 * GIB, 3 * GIB, 4 * GIB)
    assert choices(course(memory_most="2560M"), 0) == (2 * GIB, 2560 * MIB)
    small = choices(course(), 3 * GIB)
    assert small[0] == 2 * GIB and small[-1] < 3 * GIB
    assert choices(course(), GIB) == ()
    for amount in small:
        refuse(course(), Grant(amount, NOW + DAY), NOW, 3 * GIB)


def test_its_words() -> None:
    """For record and person: how much, until when, and from when on."""
    shown = words(Grant(2 * GIB, NOW), "2026-11-22 18:00", GIB)
    assert told(shown, "at once") == "Your Jupyter may use 2.0 GiB until 2026-11-22 18:00: at once."
    assert words(None, "", GIB) == "1.0 GiB again, as everybody"
