"""What is due, what is late, and what there is to go back to."""

from __future__ import annotations

import pytest

from firstbell.backup.schedule import drill_choice, due, late, run_at, vanished, whole_course
from firstbell.backup.tags import WHOLE, read_tags, tags_of
from firstbell.model.backup import Kind, Snapshot, Storage, Subject, parse_place
from firstbell.model.secret import Secret

HOUR = 3600
ADA, BOB, EVE = (Subject(Kind.HOME, name) for name in ("ada", "bob", "eve"))
STATE, WORK = Subject(Kind.STATE), Subject(Kind.COURSEWORK)
ALL = (STATE, WORK, EVE, BOB, ADA)


def shot(time: float, subject: Subject, run: str = "", *, is_whole: bool = True) -> Snapshot:
    return Snapshot(f"{subject}{time}", time, "demo", subject, run, is_whole)


def test_a_run_is_a_stretch_of_time() -> None:
    """Whoever is killed and begins again within it goes on with the same run."""
    assert run_at(10 * HOUR + 1, HOUR) == run_at(11 * HOUR - 1, HOUR) == "1970-01-01T10:00:00Z"
    assert run_at(11 * HOUR, HOUR) == "1970-01-01T11:00:00Z"


def test_what_a_run_has_is_not_due_again() -> None:
    """A run that was killed goes on; a snapshot that is not whole does not count; the state comes last."""
    made = [shot(1, ADA, "r"), shot(2, BOB, "r", is_whole=False), shot(0, EVE, "before")]
    assert due(ALL, made, "r") == (BOB, EVE, WORK, STATE)
    assert due(ALL, [shot(1, one, "r") for one in ALL], "r") == ()


def test_who_waits_longest_comes_first() -> None:
    """Where a run does not reach everybody in its time, the next begins with those."""
    assert due(ALL, [shot(5, ADA, "x"), shot(9, BOB, "x"), shot(7, EVE, "x")], "y")[:3] == (ADA, EVE, BOB)


def test_late_is_who_a_whole_run_has_missed() -> None:
    """One run may still be at it; a home that no backup could read whole is late whatever else it has."""
    made = [shot(9 * HOUR, ADA), shot(7 * HOUR, BOB), shot(10 * HOUR, EVE, is_whole=False)]
    assert late((ADA, BOB, EVE), made, HOUR, 10 * HOUR) == (BOB, EVE)


def test_most_homes_do_not_go_by_themselves() -> None:
    """A course whose homes are nearly all gone is told so, of people who are known; who deletes a few is not."""
    made = [shot(1, ADA), shot(1, BOB), shot(1, EVE), shot(2, STATE)]
    users = ("ada", "bob", "eve", "new")
    assert vanished((STATE,), made, users) == (ADA, BOB, EVE)
    assert vanished((EVE, STATE), made, users) == (ADA, BOB)
    assert vanished((BOB, EVE, STATE), made, users) == ()
    assert vanished((STATE,), made, ("new",)) == vanished((STATE,), (), users) == ()


def test_a_drill_takes_any_home_by_its_last_good_snapshot() -> None:
    """Never the state, nor one that is not whole, nor another course's; where there is no home, none."""
    made = [shot(1, ADA), shot(2, ADA), shot(3, ADA, is_whole=False), shot(4, BOB), shot(5, STATE)]
    assert drill_choice(made, "demo", lambda many: many - 1) == made[3]
    assert drill_choice(made, "demo", lambda _: 0) == made[1]
    assert drill_choice(made, "other", lambda _: 0) is None and drill_choice([made[4]], "demo", lambda _: 0) is None


def test_the_whole_course_is_what_belongs_together() -> None:
    """Of the last run that came to its end; of a home that it could not read whole, the one before."""
    first = [shot(number, one, "1") for number, one in enumerate((ADA, BOB, EVE, WORK, STATE))]
    second = [shot(10, ADA, "2"), shot(11, BOB, "2", is_whole=False), shot(12, WORK, "2"), shot(13, STATE, "2")]
    third = [shot(20, ADA, "3"), shot(21, BOB, "3")]
    found = whole_course([*first, *second, *third], "demo")
    assert found is not None and (found.run, found.time) == ("2", 13)
    assert found.snapshots == (second[2], second[0], first[1], second[3])
    assert found.earlier == (first[2],)
    before = whole_course([*first, *second, *third], "demo", at=9)
    assert before is not None and (before.run, len(before.snapshots), before.earlier) == ("1", 5, ())
    assert whole_course([*first, *second], "other") is None
    assert whole_course(third, "demo") is None


@pytest.mark.parametrize("user", ["ada", "a,b", "a b", "ü=%", "x" * 200, "run=1", WHOLE])
def test_a_user_is_read_as_written(user: str) -> None:
    """Whatever their name is, their snapshots are theirs and nobody else's."""
    tags = tags_of("demo", Subject(Kind.HOME, user), "2026-11-21T22:00:00Z")
    assert not any("," in tag or " " in tag for tag in tags)
    assert read_tags(tags) == ("demo", Subject(Kind.HOME, user), "2026-11-21T22:00:00Z", False)
    assert read_tags([*tags, WHOLE]) == ("demo", Subject(Kind.HOME, user), "2026-11-21T22:00:00Z", True)


@pytest.mark.parametrize(
    "tags", [[], ["whole"], ["course=demo"], ["course=demo", "kind=home"], ["course=demo", "kind=x", "user=ada"]]
)
def test_what_somebody_else_stored_is_none_of_ours(tags: list[str]) -> None:
    """A storage may hold other things; they are neither shown nor forgotten."""
    assert read_tags(tags) is None


@pytest.mark.parametrize(
    "place",
    ["/srv/backup", "sftp:u@h:/x", "sftp://u@h:2222/x", "s3:https://h/b", "s3:https://h:9000/b/c", "rest:https://h/x"],
)
def test_places_that_restic_takes(place: str) -> None:
    """A directory, SFTP, S3 and REST."""
    assert parse_place(place) == place


@pytest.mark.parametrize(
    "place",
    ["", "/", "srv", "/a/../b", "sftp:", "s3:https://h", "http://h/x", "rest:https://", "rest:https://u:secret@h/x"],
)
def test_places_that_are_none(place: str) -> None:
    """They are refused with what would be right, and without the password that stands in one."""
    with pytest.raises(ValueError) as caught:
        parse_place(place)
    assert "secret@" not in str(caught.value) and ("write" in str(caught.value) or "environment" in str(caught.value))


def test_a_storage_never_prints_what_opens_it() -> None:
    """Not by its repr, nor by its text."""
    storage = Storage("/srv/backup", Secret("env:P", "geheim"), {"AWS_SECRET_ACCESS_KEY": Secret("env:K", "streng")})
    assert "geheim" not in repr(storage) and "streng" not in repr(storage)
