"""When a server that nobody uses is ended, and for how long it may be kept."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbell.model.course import Course
from firstbell.model.roster import Person, PersonRole
from firstbell.plan import idle
from firstbell.plan.idle import Rule, Stand, Use, judge

RULE = Rule(idle=3600, notice=300, keep_most=7200)


def course(rules: tuple[dict[str, object], ...] = (), **server: object) -> Course:
    given = {"name": "demo", "server": {"image": "demo:1", **server}, "idle": list(rules)}
    return Course.model_validate(given)


def test_the_first_rule_that_fits_counts() -> None:
    """Staff and sections have their own times; what a rule leaves out is the course's."""
    demo = course(({"who": "staff", "idle": "0s"}, {"who": "section:A", "idle": "2h", "keep_most": 60}), idle="1h")
    assert idle.rule_for(demo, Person("ada")) == Rule(3600, 300, 43200)
    assert idle.rule_for(demo, Person("bob", section="A")) == Rule(7200, 300, 60)
    assert idle.rule_for(demo, Person("eve", section="A", role=PersonRole.ASSISTANT)).idle == 0
    assert idle.shortest_idle(demo) == 3600
    assert idle.shortest_idle(course(({"who": "staff", "idle": "20m"},), idle=0)) == 1200
    assert idle.shortest_idle(course(idle=0)) == 0


def test_the_notice_fits_into_the_idle_time() -> None:
    """A notice longer than half of the idle time is cut: nobody is told of the end while they still type."""
    assert idle.rule_for(course(idle="4m"), Person("ada")).notice == 120


@pytest.mark.parametrize(
    ("age", "stand", "left"), [(0, "in use", 3600), (3299, "in use", 301), (3300, "notice", 300), (4000, "notice", 300)]
)
def test_a_server_in_use_is_left_alone_and_told_before_its_end(age: float, stand: str, left: float) -> None:
    """The notice comes in time, and where it could not come in time the end waits for it."""
    verdict = judge(idle.told(idle.begun(0), 10_000, age, busy=False), RULE, 10_000)
    assert (verdict.stand, verdict.left) == (stand, left)


def test_it_ends_after_the_notice_and_not_before() -> None:
    """Told at the one moment, over five minutes later, unless it was used in between."""
    use = judge(idle.told(idle.begun(0), 10_000, 3300, busy=False), RULE, 10_000).use
    assert judge(idle.told(use, 10_299, 3599, busy=False), RULE, 10_299).stand is Stand.NOTICE
    assert judge(idle.told(use, 10_300, 3600, busy=False), RULE, 10_300).stand is Stand.OVER
    again = judge(idle.told(use, 10_299, 3, busy=False), RULE, 10_299)
    assert again.stand is Stand.IN_USE and again.use.told is None


def test_somebody_who_is_there_begins_anew() -> None:
    """Still here, or seen at the hub: a whole idle time from then on, whatever the server tells of its last use."""
    use = idle.touched(judge(idle.told(idle.begun(0), 10_000, 3500, busy=False), RULE, 10_000).use, 10_100)
    verdict = judge(idle.told(use, 10_160, 3660, busy=False), RULE, 10_160)
    assert (verdict.stand, verdict.left) == (Stand.IN_USE, 3540)


def test_keeping_is_bounded_and_can_be_taken_back() -> None:
    """As long as the course allows from now on, not longer; zero gives the ordinary time again."""
    use = idle.told(idle.begun(0), 10_000, 3500, busy=False)
    long = idle.kept(use, 10_000, 1e9, RULE)
    assert judge(long, RULE, 10_000).left == 7200
    assert judge(long, RULE, 16_899).stand is Stand.IN_USE
    assert judge(long, RULE, 16_900).stand is Stand.NOTICE
    assert judge(idle.kept(long, 10_000, 0, RULE), RULE, 10_000).stand is Stand.NOTICE


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.booleans())
def test_what_is_busy_or_never_ends_is_never_over(now: float, age: float, busy: bool) -> None:
    """Something runs in it, or its rule says never: whatever the times are."""
    use = Use(used=0, heard=0, told=0.0)
    assert judge(idle.told(use, now, age, busy=True), RULE, now).stand is Stand.IN_USE
    never = judge(idle.told(use, now, age, busy=busy), Rule(0, 0, 0), now)
    assert (never.stand, never.left) == (Stand.IN_USE, None)


def test_the_next_word_comes_in_time() -> None:
    """Every minute at most, just then when the notice or the end is due, and not all the time."""
    for age, pause in ((0, 60), (3270, 30), (3299.5, 2)):
        assert idle.next_word(judge(idle.told(idle.begun(0), 10_000, age, busy=False), RULE, 10_000), RULE) == pause
    told = judge(idle.told(Use(0, 0, told=9_720), 10_000, 3580, busy=False), RULE, 10_000)
    assert (told.stand, idle.next_word(told, RULE)) == (Stand.NOTICE, 20)


def test_full_hours_are_offered() -> None:
    """At least half an hour away, none beyond what the course allows, with the day where it is not today's."""
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 11, 21, 21, 40, tzinfo=zone)
    assert list(idle.offers(now, 4 * 3600)) == [("23:00", 4800), ("Sun 00:00", 8400), ("Sun 01:00", 12000)]
    assert list(idle.offers(now, 60)) == []
    assert next(idle.offers(now.replace(minute=10), 7200)) == ("22:00", 3000)


def test_the_change_of_the_clocks_is_reckoned_with() -> None:
    """The night has an hour more: until 06:00 it is longer than the clock face says."""
    now = datetime(2026, 10, 24, 22, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert ("Sun 06:00", 9 * 3600) in list(idle.offers(now, 12 * 3600))
