"""What somebody who waits is told of the time."""

from __future__ import annotations

import pytest

from firstbell.hub.starts.promise import Promise, rounded


class Told:
    """One person's promise on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.promise = Promise(lambda: self.now)

    def after(self, seconds: float, forecast: float) -> float:
        self.now += seconds
        return self.promise.seconds(forecast)


def test_it_runs_down_while_the_forecast_wavers():
    """A forecast that grows by a second or two does not make anybody's time jump up."""
    told = Told()
    assert told.after(0, 20) == 20
    assert told.after(2, 19) == 18
    assert told.after(2, 20) == 16
    assert told.after(2, 16) == 14


def test_it_follows_a_better_forecast_at_once():
    """When those before one leave, or starts get quicker, the time gets shorter."""
    told = Told()
    told.after(0, 60)
    assert told.after(2, 20) == 20


def test_it_does_not_keep_to_what_has_become_wrong():
    """Where the machine got much slower the longer time is told, instead of one that runs out."""
    told = Told()
    told.after(0, 20)
    assert told.after(10, 30) == 30


def test_it_never_goes_below_nothing():
    """Somebody whose time is over, by a little, is told that it will be soon."""
    told = Told()
    told.after(0, 3)
    assert told.after(5, 1) == 0
    assert rounded(0) == "5 seconds"


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "5 seconds"), (22, "25 seconds"), (61, "a minute"), (140, "2 minutes")]
)
def test_times_are_rounded_as_people_say_them(seconds, words):
    """Fives of seconds, then minutes."""
    assert rounded(seconds) == words
