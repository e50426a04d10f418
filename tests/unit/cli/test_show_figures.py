"""The hub's figures as lines of `firstbell status`."""

from __future__ import annotations

from dataclasses import replace

from firstbell.cli.show_figures import figure_lines
from firstbell.work.hub_figures import HubFigures, StageTimes

QUIET = HubFigures(
    disk_low="",
    homes_enforced=None,
    homes_why="",
    waiting=0,
    waiting_bell=0,
    slots=3,
    estimate=2.4,
    room_for=40,
    warm_seats=None,
    minutes=15,
    starts={"ready": 0, "failed": 0, "no_room": 0, "given_up": 0},
    causes={},
    stages={"queue": None, "total": None},
    hindrances={},
)


def test_a_quiet_course():
    """Nobody waits, nothing was started, and there is room."""
    assert figure_lines(QUIET) == [
        "Nobody waits for a start; one takes about 2.4 s",
        "No starts in the last 15 minutes",
        "The memory has room for 40 more servers",
    ]


def test_a_rush():
    """Who waits, how long starts took by stage, what failed and why, who left, and what bells hold ready."""
    busy = replace(
        QUIET,
        waiting=12,
        waiting_bell=1,
        estimate=21.4,
        room_for=1,
        warm_seats=3,
        starts={"ready": 30, "failed": 2, "no_room": 1, "given_up": 4},
        causes={"image": 1, "other": 1},
        stages={"queue": StageTimes(5.0, 11.0), "total": StageTimes(6.25, 12.0)},
    )
    assert figure_lines(busy) == [
        "12 people and 1 start of a bell in the queue; who clicks now waits about 21 s",
        "30 starts in the last 15 minutes: 6.2 s (95 %: 12.0 s)",
        "  queue 5.0 s (95 %: 11.0 s)",
        "2 starts failed (the image 1, other 1); see: firstbell logs hub",
        "1 start refused: the memory was full",
        "4 starts given up by people who left the queue",
        "The memory has room for 1 more server",
        "3 warm seats that nobody has taken",
    ]
