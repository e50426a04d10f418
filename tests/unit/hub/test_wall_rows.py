"""One person's row of the wall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firstbell.hub.wall.rows import (
    IDLE_AFTER,
    STUCK_AFTER,
    Facts,
    Row,
    State,
    count_states,
    in_order,
    matches,
    row_of,
)  # fmt: skip

MIB = 1024**2
LIMIT = 1024 * MIB
NOW = 1_000_000.0


def row(**facts: Any) -> Row:
    return row_of(Facts("ada", **facts), LIMIT, NOW)


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, State.ABSENT, ""),
        ({"failure": "The image has no Jupyter in it."}, State.FAILING, "The image has no Jupyter in it."),
        ({"pending": "spawn", "place": 3}, State.STARTING, "number 3 in the queue"),
        ({"pending": "spawn", "place": 3, "still": 500.0}, State.STARTING, "number 3 in the queue"),
        ({"pending": "spawn", "doing": "Making your server …"}, State.STARTING, "Making your server"),
        (
            {"pending": "spawn", "doing": "Making your server …", "still": STUCK_AFTER},
            State.STUCK, "Making your server, for a minute",
        ),
        ({"pending": "spawn", "failure": "the last one"}, State.STARTING, ""),
        ({"pending": "stop"}, State.STOPPING, ""),
        ({"pending": "stop", "still": 180.0}, State.STUCK, "stopping, for 3 minutes"),
        ({"runs": True, "seen": NOW - 5}, State.IN, ""),
        ({"runs": True, "seen": NOW - IDLE_AFTER}, State.IDLE, ""),
        ({"runs": True}, State.IN, ""),
        ({"runs": True, "times_full": 1}, State.IN, "its memory was full in the last hour, and a program was ended"),
        (
            {"runs": True, "times_full": 2, "seen": NOW - IDLE_AFTER},
            State.IDLE, "its memory was full 2 times in the last hour, and a program was ended",
        ),
        ({"runs": True, "is_prepared": True}, State.PREPARED, ""),
        ({"runs": True, "memory": 980 * MIB}, State.STUCK, "the memory is all but full"),
        ({"runs": True, "away": "node2"}, State.STUCK, "the machine node2 does not answer"),
    ],
)  # fmt: skip
def test_states(facts: dict[str, Any], state: State, words: str) -> None:
    """Each is told from the others; whoever waits in the queue is not stuck, however long."""
    assert (row(**facts).state, row(**facts).words) == (state, words)


def test_what_can_be_done() -> None:
    """A stuck start can be stopped but not opened; what fails or is absent can be started."""
    can = {
        name: (found.can_start, found.runs, found.can_stop)
        for name, found in {
            "absent": row(), "failing": row(failure="x"), "starting": row(pending="spawn"),
            "stopping": row(pending="stop"), "in": row(runs=True), "full": row(runs=True, memory=LIMIT),
        }.items()
    }  # fmt: skip
    assert can == {
        "absent": (True, False, False), "failing": (True, False, False), "starting": (False, False, True),
        "stopping": (False, False, False), "in": (False, True, True), "full": (False, True, True),
    }  # fmt: skip


def test_small_changes_make_no_new_row() -> None:
    """Seconds of activity and a few pages of memory would send every row to every watcher again and again."""
    one = row(runs=True, seen=NOW - 61, memory=208 * MIB)
    assert one == row(runs=True, seen=NOW - 62, memory=211 * MIB)
    assert one != row(runs=True, seen=NOW - 62, memory=260 * MIB)


def test_memory_is_that_of_a_server_that_runs() -> None:
    """A figure of the last server says nothing about the next."""
    assert row(memory=5 * MIB).memory is None
    assert row(runs=True, memory=512 * MIB).percent == 50


def test_those_who_need_a_hand_come_first() -> None:
    """Failing before stuck before all that is well; within a state by name."""
    rows = [
        replace(row(runs=True), username="a"), replace(row(), username="b"),
        replace(row(failure="x"), username="d"), replace(row(failure="x"), username="c"),
        replace(row(runs=True, away="n"), username="e"),
    ]  # fmt: skip
    assert [r.username for r in in_order(rows)] == ["c", "d", "e", "a", "b"]
    assert [r.username for r in in_order(rows, "name")] == ["a", "b", "c", "d", "e"]
    assert [r.username for r in in_order(rows, "nonsense")] == ["c", "d", "e", "a", "b"]


def test_in_order_of_memory_and_of_silence() -> None:
    """The most memory first; the longest silence first, and who was never here last."""
    used = [replace(row(runs=True, memory=n * 64 * MIB), username=f"u{n}") for n in (1, 3, 2)]
    assert [r.username for r in in_order(used, "memory")] == ["u3", "u2", "u1"]
    seen = [replace(row(seen=at), username=name) for name, at in (("new", 600.0), ("never", None), ("old", 60.0))]
    assert [r.username for r in in_order(seen, "seen")] == ["old", "new", "never"]


def test_finding() -> None:
    """By all words of user name and name in any case, by section and by state."""
    found = replace(row(runs=True), username="ada", name="Ada Lovelace", section="A")
    assert matches(found, "LOVE ad")
    assert not matches(found, "love bob")
    assert matches(found, section="A", state="in")
    assert not matches(found, section="B")
    assert not matches(found, state="idle")


def test_counts_name_every_state() -> None:
    """A state in which nobody is has a zero."""
    counts = count_states([row(), row(runs=True)])
    assert counts["absent"] == counts["in"] == 1
    assert sum(counts.values()) == 2
    assert list(counts) == [state.value for state in State]


def test_the_notebook_is_of_a_server_that_runs() -> None:
    """It is on the row, people are found by it, and it goes with the server."""
    at_work = row(runs=True, notebook="week3/Trees.ipynb")
    assert at_work.notebook == "week3/Trees.ipynb" and matches(at_work, "trees WEEK3")
    assert row(notebook="week3/Trees.ipynb").notebook == ""
    assert at_work != row(runs=True)
