"""Slowing down guessers."""

from __future__ import annotations

from firstbell.hub.logins.throttle import Rate, Throttle, Throttles


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    """`burst` tries at once, then one every `every` seconds."""
    clock = Clock()
    throttle = Throttle(Rate(burst=3, every=10), clock=clock)
    for _ in range(3):
        assert throttle.wait("a") == 0
        throttle.charge("a")
    assert throttle.wait("a") == 10
    clock.now += 10
    assert throttle.wait("a") == 0
    throttle.charge("a")
    assert throttle.wait("a") == 10


def test_a_long_pause_gives_no_more_than_the_burst() -> None:
    """Tries are not saved up."""
    clock = Clock()
    throttle = Throttle(Rate(burst=2, every=1), clock=clock)
    throttle.charge("a")
    clock.now += 1e6
    throttle.charge("a")
    throttle.charge("a")
    assert throttle.wait("a") == 1


def test_honest_tries_cost_nothing() -> None:
    """A refunded try leaves no trace, however often."""
    throttle = Throttle(Rate(burst=2, every=100), clock=Clock())
    for _ in range(50):
        assert throttle.wait("a") == 0
        throttle.charge("a")
        throttle.refund("a")


def test_memory_is_bounded() -> None:
    """However many keys are tried, only so many are remembered, the latest ones."""
    throttle = Throttle(Rate(burst=1, every=100), keys=50, clock=Clock())
    for key in range(5000):
        throttle.charge(key)
    assert len(throttle) == 50
    assert throttle.wait(4999) > 0
    assert throttle.wait(1) == 0


def test_all_throttles_must_agree() -> None:
    """The longest wait counts, and each is charged."""
    clock = Clock()
    narrow, wide = Throttle(Rate(1, 60), clock=clock), Throttle(Rate(2, 5), clock=clock)
    Throttles((narrow, "a"), (wide, "")).charge()
    assert Throttles((narrow, "a"), (wide, "")).wait() == 60
    Throttles((narrow, "b"), (wide, "")).charge()
    assert Throttles((narrow, "c"), (wide, "")).wait() == 5
