"""What has had its time, and what never has."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from firstbell.backup.retention import outdated
from firstbell.model.backup import Keep, Kind, Snapshot, Subject

HOUR = 3600.0
DAY = 24 * HOUR
BEGIN = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
ADA = Subject(Kind.HOME, "ada")


def shot(time: float, subject: Subject = ADA, *, is_whole: bool = True, course: str = "demo") -> Snapshot:
    return Snapshot(f"{course}-{subject.kind}-{subject.user}-{time}", time, course, subject, is_whole=is_whole)


def kept(snapshots: list[Snapshot], keep: Keep) -> list[Snapshot]:
    gone = set(outdated(snapshots, keep, UTC))
    return [one for one in snapshots if one not in gone]


def test_a_term_is_thinned_as_it_ages() -> None:
    """Of a hundred days of hourly snapshots stay the latest hours, days, weeks and months, each by its last."""
    every_hour = [shot(BEGIN + number * HOUR) for number in range(100 * 24)]
    times = [datetime.fromtimestamp(one.time, UTC) for one in kept(every_hour, Keep(24, 14, 8, 12))]
    assert times[-24:] == [datetime.fromtimestamp(one.time, UTC) for one in every_hour[-24:]]
    days = [when.strftime("%m-%d %H") for when in times[:-24]]
    assert days[-13:] == [f"11-{day:02} 23" for day in range(26, 31)] + [f"12-{day:02} 23" for day in range(1, 9)]
    # Sundays before those days, and the last days of months.
    assert days[:-13] == ["09-30 23", "10-25 23", "10-31 23", "11-01 23", "11-08 23", "11-15 23", "11-22 23"]


def test_the_last_good_one_always_stays() -> None:
    """However little is to be kept, however old it is, and however many came after it that are not whole."""
    good = shot(BEGIN)
    bad = [shot(BEGIN + number * DAY, is_whole=False) for number in range(1, 50)]
    assert kept([good, *bad], Keep(0, 0, 0, 0)) == [good, *bad]
    newer = shot(BEGIN + 60 * DAY)
    assert kept([good, *bad, newer], Keep(0, 0, 0, 0)) == [newer]


def test_one_that_is_not_whole_takes_nobodys_place() -> None:
    """The good one of the morning stays for its day, though the last of that day is another."""
    morning, evening, next_day = shot(BEGIN + 8 * HOUR), shot(BEGIN + 20 * HOUR, is_whole=False), shot(BEGIN + DAY)
    assert kept([morning, evening, next_day], Keep(0, 2, 0, 0)) == [morning, next_day]


def test_where_nothing_is_good_nothing_goes() -> None:
    """What could be read of a home is better than nothing."""
    bad = [shot(BEGIN + number * DAY, is_whole=False) for number in range(5)]
    assert kept(bad, Keep(1, 1, 1, 1)) == bad


def test_each_subject_of_each_course_by_itself() -> None:
    """One person's many snapshots push out nobody else's, nor those of another course in the same storage."""
    bob = shot(BEGIN, Subject(Kind.HOME, "bob"))
    other = shot(BEGIN, course="other")
    state = shot(BEGIN, Subject(Kind.STATE))
    many = [shot(BEGIN + number * DAY) for number in range(9)]
    assert kept([bob, other, state, *many], Keep(0, 1, 0, 0)) == [bob, other, state, many[-1]]


def test_a_day_is_the_courses_own() -> None:
    """Half past eleven in the evening is that day's in Berlin, though it is the same day in London an hour later."""
    late, early = shot(datetime(2026, 11, 1, 22, 30, tzinfo=UTC).timestamp()), shot(BEGIN + 61 * DAY + 23.5 * HOUR)
    assert [datetime.fromtimestamp(one.time, UTC).day for one in (late, early)] == [1, 1]
    assert outdated([late, early], Keep(0, 2, 0, 0), UTC) == (late,)
    assert outdated([late, early], Keep(0, 2, 0, 0), ZoneInfo("Europe/Berlin")) == ()


def test_both_hours_that_a_clock_shows_twice_stay() -> None:
    """In the night in which summer time ends, five snapshots are five hours."""
    start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC).timestamp()
    night = [shot(start + number * HOUR) for number in range(5)]
    assert outdated(night, Keep(5, 0, 0, 0), ZoneInfo("Europe/Berlin")) == ()


def test_thinning_again_takes_nothing_more() -> None:
    """At any moment of a term with failures, in any order: idempotent, and each subject keeps its last good."""
    chance = random.Random(3)
    for _ in range(60):
        keep = Keep(*(chance.randrange(5) for _ in range(4)))
        users = [Subject(Kind.HOME, name) for name in "abc"]
        all_of_them = [
            shot(BEGIN + chance.randrange(90 * 24) * HOUR, chance.choice(users), is_whole=chance.random() < 0.7)
            for _ in range(chance.randrange(80))
        ]
        all_of_them = list({one.id: one for one in all_of_them}.values())
        rest = kept(all_of_them, keep)
        chance.shuffle(rest)
        assert outdated(rest, keep, UTC) == ()
        for user in users:
            good = [one for one in all_of_them if one.subject == user and one.is_whole]
            assert not good or max(good, key=lambda one: one.time) in rest
