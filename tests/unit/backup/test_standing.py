"""How backups stand, and which run goes on, from the snapshots there are."""

from __future__ import annotations

from dataclasses import replace

from firstbell.backup.schedule import are_left_over, is_first_of_day, unfinished_run
from firstbell.backup.standing import runs_of, standing
from firstbell.model.backup import Kind, Lock, Snapshot, Subject

ADA, BOB = Subject(Kind.HOME, "ada"), Subject(Kind.HOME, "bob")
STATE = Subject(Kind.STATE)
HOUR = 3600
DAY = 24 * HOUR


def _made(run: str, *subjects: Subject, at: float, is_whole: bool = True) -> list[Snapshot]:
    return [
        Snapshot(f"{run}{number}", at + number, "demo", subject, run, is_whole)
        for number, subject in enumerate(subjects)
    ]


def test_a_run_that_was_cut_short_goes_on_for_a_while() -> None:
    """Until it has the hub's state, and no longer than it makes sense."""
    whole, cut = _made("1", ADA, STATE, at=1000), _made("2", ADA, at=5000)
    assert unfinished_run([*whole, *cut], "demo", 5100, HOUR) == "2"
    assert unfinished_run([*whole, *cut], "demo", 5100 + HOUR, HOUR) == ""
    assert unfinished_run(whole, "demo", 1100, HOUR) == ""
    assert unfinished_run([*whole, *cut], "other", 5100, HOUR) == ""
    # A state of which something could not be read is no end of a run.
    assert unfinished_run(_made("3", ADA, STATE, at=9000, is_whole=False), "demo", 9100, HOUR) == "3"


def test_once_a_day_old_ones_go() -> None:
    """With the first run of each day, by UTC."""
    snapshots = _made("1", ADA, STATE, at=DAY - 100)
    assert is_first_of_day(snapshots, "demo", DAY + 1)
    assert not is_first_of_day(snapshots, "demo", DAY - 1)
    assert is_first_of_day([], "demo", 0) and is_first_of_day(snapshots, "other", DAY - 1)


def test_the_standing_says_who_is_without_a_good_one() -> None:
    """Too old, never made, or not whole; and when the last complete run was over."""
    snapshots = [*_made("1", ADA, BOB, STATE, at=1000), *_made("2", ADA, at=1000 + HOUR)]
    now = standing(snapshots, (ADA, BOB, STATE), "demo", HOUR, 1500)
    assert (now.is_well, now.run, now.time, now.good, now.snapshots) == (True, "1", 1002, 3, 4)
    later = standing(snapshots, (ADA, BOB, STATE, Subject(Kind.HOME, "new")), "demo", HOUR, 1000 + 2.5 * HOUR)
    assert not later.is_well and [one.user for one in later.late] == ["bob", "new", ""]
    assert later.good == 3
    none = standing((), (STATE,), "demo", HOUR, 0)
    assert (none.is_well, none.time, none.run) == (False, None, "")


def test_runs_are_listed_the_latest_first() -> None:
    """With whether they came to their end, and whether all could be read."""
    snapshots = [
        *_made("1", ADA, BOB, STATE, at=1000),
        *_made("2", ADA, at=2000),
        *_made("2", BOB, at=2010, is_whole=False),
        *(replace(one, course="other") for one in _made("9", ADA, at=3000)),
    ]
    shown = [(line.run, line.homes, line.is_complete, line.is_whole) for line in runs_of(snapshots, "demo")]
    assert shown == [("2", 2, False, False), ("1", 2, True, True)]


def test_whose_lock_may_go() -> None:
    """Ours at once where nobody is at work; of an earlier life of the course after ten minutes; nobody else's ever."""
    ours, before, stranger = (Lock("1", host, 1000, True) for host in ("firstbell-a.1", "firstbell-a.0", "elsewhere"))
    assert are_left_over([ours], "firstbell-a.1", 1010, nobody_at_work=True)
    assert not are_left_over([ours], "firstbell-a.1", 1010)
    assert not are_left_over([ours, before], "firstbell-a.1", 1010, nobody_at_work=True)
    assert are_left_over([ours, before], "firstbell-a.1", 1700, nobody_at_work=True)
    assert not are_left_over([stranger], "firstbell-a.1", 9000, nobody_at_work=True)
    assert not are_left_over([replace(before, host="firstbell-ab.0")], "firstbell-a.1", 9000)
    assert not are_left_over([], "firstbell-a.1", 9000, nobody_at_work=True)
