"""Coursework as the hub is asked for it: who may what, for whom, when, and how it stands."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework.book import Book
from firstbell.coursework.rights import Rank, Rights
from firstbell.errors import CourseBusy, CourseFileError
from firstbell.hub import coursework_control
from firstbell.hub.coursework.ask import Asker, Coursework
from firstbell.hub.coursework.homes import CourseHomes
from firstbell.hub.coursework.offer import OFFERED, take_over
from firstbell.hub.coursework.people import Roll
from firstbell.hub.coursework.report import Report
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records.acts import ActsBook
from firstbell.model.course import Course
from firstbell.model.coursework import HandinKind, Kind, State, Wish
from tests.support.coursework import COURSE, Room, fill

ROSTER = """username,name,email,role,section
ada,Ada,,student,A
ben,Ben,,student,A
cem,Cem,,student,B
gil,Gil,,assistant,A
ida,Ida,,instructor,
"""
ROSTERED = Course.model_validate(
    COURSE.model_dump(exclude_none=True, exclude={"bells", "idle_rules", "tls"})
    | {"access": {"login": "roster", "staff": ("boss",)}}
)
HOUR = 3600.0


class Hub:
    """A hub's coursework in a folder."""

    def __init__(self, root: Path) -> None:
        self.room = Room(root, ROSTERED)
        self.store = PeopleStore(root / "people.sqlite", b"k" * 32)
        self.store.keep("roster", ROSTER)
        self.roll = Roll(ROSTERED, self.store)
        self.acts = ActsBook(root / "acts.sqlite", self.room.now)
        self.ask = Coursework(ROSTERED, self.room.layout, self.room.book, self.roll, self.acts, now=self.room.now)
        self.report = Report(ROSTERED, self.room.layout, self.room.book, self.roll)

    async def act(self, kind: Kind, *to: str, **words: Any) -> dict[str, Any]:
        """Ask as the owner, and let the desk do it."""
        order = self.ask.act(kind, Wish("hw1", to, **words), Asker())
        await self.room.all_done(self.room.desk())
        return order


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = Hub(tmp_path)
    made.room.source("hw1", {"a.py": "task"})
    return made


def open_tasks(hub: Hub, kind: Kind) -> dict[str, float]:
    return {task.user: task.at for task in hub.room.book.open_tasks() if task.kind is kind}


async def test_everybody_is_the_students(hub: Hub):
    """Staff get no assignment unless they are named."""
    assert (await hub.act(Kind.RELEASE))["people"] == ["ada", "ben", "cem"]
    assert (await hub.act(Kind.RELEASE, "ida", "boss"))["people"] == ["ida", "boss"]


async def test_a_section_by_its_name(hub: Hub):
    """`--to A` and `--to section:A` are the students of that section; names may be mixed with them."""
    assert (await hub.act(Kind.RELEASE, "A"))["people"] == ["ada", "ben"]
    assert (await hub.act(Kind.RELEASE, "section:B", "ADA"))["people"] == ["cem", "ada"]


def test_unknown_people_are_named(hub: Hub):
    """Nothing is ordered when one of the names is nobody's."""
    with pytest.raises(CourseFileError, match="zoe, Q"):
        hub.ask.act(Kind.RELEASE, Wish("hw1", ("ada", "zoe", "Q")), Asker())
    assert hub.room.book.tasks() == ()


def test_a_dry_run_writes_nothing(hub: Hub):
    """It says whom, when and until when, in the course's zone."""
    plan = hub.ask.act(Kind.RELEASE, Wish("hw1", at="+1h", due="2026-10-01 18:00", dry_run=True), Asker())
    assert (plan["at"], plan["due"], plan["batch"]) == ("2026-09-21 17:13", "2026-10-01 18:00", "")
    assert hub.room.book.tasks() == () and hub.acts.acts() == ()
    assert hub.room.book.assignments()[0].due is None


async def test_a_deadline_orders_the_collecting(hub: Hub):
    """With --due everybody is collected then; another deadline later moves it, an extension only one's own."""
    await hub.act(Kind.RELEASE, due="+1h")
    assert open_tasks(hub, Kind.COLLECT) == dict.fromkeys(("ada", "ben", "cem"), hub.room.time + HOUR)
    hub.ask.extend(Wish("hw1", ("ben",)), "+3h", Asker())
    await hub.act(Kind.RELEASE, due="+2h")
    later = hub.room.time + 2 * HOUR
    assert open_tasks(hub, Kind.COLLECT) == {"ada": later, "ben": later + HOUR, "cem": later}


async def test_sections_may_have_deadlines_of_their_own(hub: Hub):
    """--to with --due is the deadline of these people alone."""
    await hub.act(Kind.RELEASE, "A", due="+1h")
    await hub.act(Kind.RELEASE, "B", due="+2h")
    assert hub.room.book.deadline("hw1", "ada") == hub.room.time + HOUR
    assert hub.room.book.deadline("hw1", "cem") == hub.room.time + 2 * HOUR


async def test_who_joins_after_the_release_gets_it_when_it_is_released_to_them(hub: Hub):
    """Until then they are shown as without it; then they have it, and are collected at the deadline as everybody is."""
    await hub.act(Kind.RELEASE, due="+1h")
    hub.store.keep("roster", ROSTER + "dan,Dan,,student,B\n")
    people = {one["user"]: one for one in hub.report.assignment("hw1")["people"]}
    assert not people["dan"]["released"] and people["ada"]["released"]
    [row] = hub.report.assignments()["assignments"]
    assert (row["students"], row["released"]) == (4, 3)
    assert hub.report.student("dan")["assignments"] == []
    order = await hub.act(Kind.RELEASE, "dan")
    assert (order["people"], order["too_late"]) == (["dan"], [])
    everybody = dict.fromkeys(("ada", "ben", "cem", "dan"), hub.room.time + HOUR)
    assert open_tasks(hub, Kind.COLLECT) == everybody
    await hub.act(Kind.RELEASE)
    assert open_tasks(hub, Kind.COLLECT) == everybody
    hub.room.time += HOUR
    await hub.room.all_done(hub.room.desk())
    assert [one.kind for one in hub.room.book.handins("hw1", "dan")] == [HandinKind.DEADLINE]


async def test_who_joins_after_the_deadline_is_named_as_too_late(hub: Hub):
    """Whoever hands it out hears that their work would be late; with more time it is collected then."""
    await hub.act(Kind.RELEASE, due="+1h")
    hub.room.time += 2 * HOUR
    hub.store.keep("roster", ROSTER + "dan,Dan,,student,B\n")
    assert (await hub.act(Kind.RELEASE, "dan"))["too_late"] == ["dan"]
    assert open_tasks(hub, Kind.COLLECT) == {}
    hub.ask.extend(Wish("hw1", ("dan",)), "+1h", Asker())
    assert (await hub.act(Kind.RELEASE, "dan"))["too_late"] == []
    assert open_tasks(hub, Kind.COLLECT) == {"dan": hub.room.time + HOUR}


async def test_a_look_before_the_deadline_leaves_the_deadline(hub: Hub):
    """Collecting now is beside the collecting at the deadline, and counts only while there is nothing else."""
    await hub.act(Kind.RELEASE, due="+1h")
    await hub.act(Kind.COLLECT, "ada")
    assert set(open_tasks(hub, Kind.COLLECT)) == {"ada", "ben", "cem"}
    assert [one.kind for one in hub.room.book.handins("hw1", "ada")] == [HandinKind.EARLY]
    hub.room.time += HOUR
    await hub.room.all_done(hub.room.desk())
    assert [one["counts"] for one in hub.report.handins("hw1", "ada")] == [True, False]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish("hw9"), "no assignment hw9"),
        (Wish("../x"), "cannot be the name"),
        (Wish("hw1", at="yesterday"), "is no time"),
        (Wish("hw1", at="2020-01-01 10:00"), "is past"),
        (Wish("hw1", at="+2h", due="+1h"), "before it is handed out"),
        (Wish("hw1", at="2026-02-30 10:00"), "is no time"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_words(hub: Hub, wish: Wish, words: str):
    """A wrong name or time changes nothing."""
    with pytest.raises(CourseFileError, match=words):
        hub.ask.act(Kind.RELEASE, wish, Asker())
    assert hub.room.book.tasks() == ()


async def test_graders_grade_their_section_and_nothing_else(hub: Hub):
    """An assistant of section A neither releases nor reaches section B; who did what is written down."""
    grader = Asker("gil", Rights(Rank.GRADER, "A"))
    with pytest.raises(CourseFileError, match="gil may not release"):
        hub.ask.act(Kind.RELEASE, Wish("hw1"), grader)
    with pytest.raises(CourseFileError, match="gil may not extend"):
        hub.ask.extend(Wish("hw1", ("ada",)), "+1h", grader)
    with pytest.raises(CourseFileError, match="may not grade for cem"):
        hub.ask.act(Kind.GRADE, Wish("hw1", ("cem",)), grader)
    assert hub.ask.act(Kind.GRADE, Wish("hw1"), grader)["people"] == ["ada", "ben"]
    [act] = hub.acts.acts()
    assert (act.who, act.what, act.whom, act.words, act.at) == ("gil", "grade", "everybody", "hw1", hub.room.time)


async def test_a_hand_in_is_of_who_asks_and_when_they_ask(hub: Hub):
    """The time is when it was asked for, even if the desk comes to it later; one at a time."""
    await hub.act(Kind.RELEASE, due="+1h")
    hub.room.home("ada", {"assignments/hw1/a.py": "solved"})
    hub.room.time += HOUR - 5
    task = hub.ask.hand_in("hw1", "ada")
    with pytest.raises(CourseBusy):
        hub.ask.hand_in("hw1", "ada")
    hub.room.time += 60
    await hub.room.all_done(hub.room.desk())
    done = hub.room.book.task(task.id)
    assert done and done.state is State.DONE and done.receipt
    [mine] = hub.report.student("ada")["assignments"]
    assert mine["kind"] == "early" and mine["receipt"] == done.receipt
    receipt = hub.report.receipt("hw1", "ada", done.receipt)
    assert [file["path"] for file in receipt["files"]] == ["a.py"] and receipt["user"] == "ada"
    with pytest.raises(CourseFileError):
        hub.report.receipt("hw1", "ben", done.receipt)


async def test_a_student_sees_only_what_is_theirs(hub: Hub):
    """Another's name, receipt or files are nowhere in what a student is told."""
    await hub.act(Kind.RELEASE, "ada", "cem")
    hub.room.home("cem", {"assignments/hw1/cems-file.py": "x"})
    hub.ask.hand_in("hw1", "cem")
    await hub.room.all_done(hub.room.desk())
    told = json.dumps(hub.report.student("ada"))
    assert "cem" not in told and '"assignment": "hw1"' in told
    assert hub.report.student("ben")["assignments"] == []


async def test_what_somebody_asks_of_their_own_does_not_grow_with_the_class(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page of Lab asks each half minute: nothing of others' is read from the book for it."""
    read: list[str] = []
    for name in ("tasks", "handins"):
        ask = getattr(Book, name)

        def asked(*args: Any, _ask: Any = ask, **kwargs: Any) -> Any:
            found = _ask(*args, **kwargs)
            read.extend(one.user for one in found)
            return found

        monkeypatch.setattr(Book, name, asked)
    await hub.act(Kind.RELEASE)
    read.clear()
    assert hub.report.student("ada")["assignments"]
    assert set(read) == {"ada"}


async def test_an_extension_given_afterwards_makes_late_work_count(hub: Hub):
    """What was handed in after the deadline is what the grader gets, once the deadline was moved behind it."""
    await hub.act(Kind.RELEASE, due="+1h")
    hub.room.time += HOUR + 10
    await hub.room.all_done(hub.room.desk())
    hub.room.home("ada", {"assignments/hw1/a.py": "late but good"})
    hub.ask.hand_in("hw1", "ada")
    await hub.room.all_done(hub.room.desk())
    [first, *_] = hub.report.handins("hw1", "ada")
    assert (first["kind"], first["counts"]) == ("late", False)
    hub.ask.extend(Wish("hw1", ("ada",)), "+1h", Asker())
    [first, *_] = hub.report.handins("hw1", "ada")
    assert (first["kind"], first["counts"]) == ("early", True)
    assert (hub.room.layout.submitted("ada", "hw1") / "a.py").read_text() == "late but good"


async def test_the_list_counts_and_names(hub: Hub):
    """Numbers for the list, a line per person for one assignment, problems by name."""
    await hub.act(Kind.RELEASE, due="+1h")
    hub.room.home("ada", {"assignments/hw1/a.py": "solved"})
    hub.ask.hand_in("hw1", "ada")
    await hub.room.all_done(hub.room.desk())
    [row] = hub.report.assignments()["assignments"]
    assert (row["students"], row["released"], row["handed_in"], row["next"]) == (3, 3, 1, "collect 2026-09-21 17:13")
    people = {one["user"]: one for one in hub.report.assignment("hw1")["people"]}
    assert people["ada"]["handed_in"] == "2026-09-21 16:13" and not people["ben"]["handed_in"]
    assert set(people) == {"ada", "ben", "cem"}


async def test_who_has_opened_it_is_told_once_and_stays(hub: Hub):
    """The first time counts; what is no assignment is not noted, and an older file takes them."""
    with hub.room.book.writing() as db:
        db.execute("DROP TABLE openings")
    book = Book(hub.room.layout.book, hub.room.now)
    await hub.act(Kind.RELEASE)
    assert book.opened("hw1", "ada") and not book.opened("hw9", "ada")
    [first] = book.openings("hw1").items()
    hub.room.time += HOUR
    assert book.opened("hw1", "ada") and book.openings("hw1") == dict([first]) and not book.openings("hw9")
    people = {row["user"]: row["opened"] for row in hub.report.assignment("hw1")["people"]}
    assert people["ada"] and not people["ben"]


async def test_progress_tells_what_is_over_and_what_is_for_later(hub: Hub):
    """Who follows an order hears of exceptions by name, and does not wait for what is for another day."""
    order = await hub.act(Kind.COLLECT, "ada", "ben")
    now = hub.report.progress(order["batch"])
    assert (now["all"], now["ended"], now["open"]) == (2, 2, 0)
    assert {task["user"]: task["words"] for task in now["tasks"]} == dict.fromkeys(("ada", "ben"), "has no files yet")
    later = hub.ask.act(Kind.RELEASE, Wish("hw1", at="+1h"), Asker())
    assert hub.report.progress(later["batch"])["later"] == 3


async def test_progress_tells_what_does_not_pass_in_a_moment(hub: Hub):
    """What was tried twice in vain, as for a home whose node is away, is told with its words, and counts as waiting."""
    order = hub.ask.act(Kind.COLLECT, Wish("hw1", ("ada", "ben")), Asker())
    for stuck in (0, 1):
        hub.room.time += HOUR
        [ada, _] = hub.room.book.batch(order["batch"])
        hub.room.book.again(ada, hub.room.time + 5, "trying again: node2 does not answer")
        assert hub.report.progress(order["batch"])["stuck"] == stuck
    now = hub.report.progress(order["batch"])
    assert [task["words"] for task in now["tasks"] if task["user"] == "ada"] == ["trying again: node2 does not answer"]
    hub.ask.act(Kind.COLLECT, Wish("hw1", ("ada",), at="+1h"), Asker())
    [again] = hub.room.book.open_tasks("hw1")[-1:]
    assert hub.report.progress(again.batch)["stuck"] == 0


async def test_feedback_and_grades_show(hub: Hub):
    """Returned is who got something, not who was asked for."""
    fill(hub.room.layout.feedback("ada", "hw1"), {"a.html": "good"})
    await hub.act(Kind.RETURN)
    people = {one["user"]: bool(one["returned"]) for one in hub.report.assignment("hw1")["people"]}
    assert people == {"ada": True, "ben": False, "cem": False}


def done(hub: Hub, kind: Kind, user: str, state: State, words: str = "") -> None:
    """As the desk notes it, a minute after what was before."""
    hub.room.time += 60
    batch = hub.room.book.ask(kind, "hw1", {user: hub.room.time}, by="boss")
    hub.room.book.end(hub.room.book.batch(batch)[0], state, words)


async def test_a_grade_is_its_persons_once_it_was_returned(hub: Hub):
    """Not before, without remarks on tests, and not the next one before that was returned, too."""
    await hub.act(Kind.RELEASE)

    def grade() -> str:
        [mine] = hub.report.student("ada")["assignments"]
        assert "problem" in mine and "name" not in mine and mine["problem"] == ""
        return str(mine["graded"])

    words = "3 of 6 points; the rest is graded by hand; test_square says: assert square(3) == 9"
    done(hub, Kind.GRADE, "ada", State.DONE, words)
    assert grade() == ""
    done(hub, Kind.RETURN, "ada", State.DONE)
    assert grade() == "3 of 6 points; the rest is graded by hand"
    done(hub, Kind.GRADE, "ada", State.DONE, "5 of 6 points")
    assert grade() == ""
    done(hub, Kind.RETURN, "ada", State.FAILED, "no room on the disk of node2")
    assert grade() == ""
    [person] = [one for one in hub.report.assignment("hw1")["people"] if one["user"] == "ada"]
    assert person["returned"] and person["problem"] == "return: no room on the disk of node2"
    done(hub, Kind.RETURN, "ada", State.DONE)
    assert grade() == "5 of 6 points"
    done(hub, Kind.RETURN, "ada", State.DONE, "5.5 of 6 points; put into ~/assignments/feedback/hw1")
    assert grade() == "5.5 of 6 points"


async def test_an_order_under_way_is_counted_until_it_is_over(hub: Hub):
    """Who waits sees how many of all are done; what is for another day is not under way."""
    hub.ask.act(Kind.RELEASE, Wish("hw1", due="+1h"), Asker())
    hub.ask.act(Kind.COLLECT, Wish("hw1", at="+2h"), Asker())

    def progress() -> list[tuple[str, int, int]]:
        return [(p["under_way"], p["asked"], p["ended"]) for p in hub.report.assignment("hw1")["people"]]

    assert progress() == [("release", 1, 0)] * 3
    [first, *_] = [task for task in hub.room.book.tasks("hw1", "ada") if task.kind is Kind.RELEASE]
    hub.room.book.end(first, State.DONE)
    assert progress() == [("", 1, 1), ("release", 1, 0), ("release", 1, 0)]
    await hub.room.all_done(hub.room.desk())
    assert progress() == [("", 0, 0)] * 3


def test_what_is_brought_takes_the_place_of_the_old_at_once(hub: Hub):
    """The deadline stays, the content is the new one, and nothing of what was brought is left."""
    layout, book = hub.room.layout, hub.room.book
    fill(
        layout.root / OFFERED / "token", {"a.py": "better", "sub/b.ipynb": '{"cells": [{"metadata": {"nbgrader": 1}}]}'}
    )
    made = take_over(layout, book, "hw1", "token")
    assert made.has_notebooks and made.source != ""
    assert sorted(path.name for path in layout.source("hw1").rglob("*.*")) == ["a.py", "b.ipynb"]
    assert list((layout.root / OFFERED).iterdir()) == []
    with pytest.raises(CourseFileError, match="no files"):
        take_over(layout, book, "hw2", "../../source")


def test_a_solution_without_nbgraders_marks_is_not_handed_out_as_it_is(hub: Hub):
    """Nbgrader says then what is missing; a notebook without either is plain files."""
    layout, book = hub.room.layout, hub.room.book
    fill(layout.root / OFFERED / "one", {"a.ipynb": '{"cells": ["### BEGIN SOLUTION"]}'})
    fill(layout.root / OFFERED / "two", {"a.ipynb": '{"cells": []}', "b.py": "### BEGIN SOLUTION"})
    assert take_over(layout, book, "hw1", "one").has_notebooks
    assert not take_over(layout, book, "hw1", "two").has_notebooks


def test_the_program_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A course without coursework is told what to add, as a refusal that the command line shows."""
    from firstbell.config.wire import to_wire

    public, secrets = to_wire(Course.model_validate({"name": "stats", "server": {"image": "i"}}))
    (tmp_path / "course.json").write_bytes(public)
    (tmp_path / "secrets.json").write_bytes(secrets)
    files = ["--course", str(tmp_path / "course.json"), "--secrets", str(tmp_path / "secrets.json"),
             "--state", str(tmp_path), "--folder", str(tmp_path)]  # fmt: skip
    assert coursework_control.main([*files, "assignments"]) == 2
    assert "[coursework]" in json.loads(capsys.readouterr().out)["error"]["next_step"]
    public, secrets = to_wire(COURSE)
    (tmp_path / "course.json").write_bytes(public)
    assert coursework_control.main([*files, "assignments"]) == 0
    assert json.loads(capsys.readouterr().out) == {"time_zone": "Europe/Berlin", "assignments": []}


async def test_homes_are_found_made_and_waited_for(hub: Hub):
    """Nobody's home is invented while collecting; releasing makes one and records it; one that moves is waited for."""
    homes = CourseHomes(ROSTERED, hub.store, hub.room.engine, "image", hub.roll)
    assert await homes.find("ada") is None
    made = await homes.make("ada")
    assert hub.store.has_home("ada") and (made.uid, made.gid) == (1000, 1000)
    assert await homes.find("ada") == made
    hub.store.keep("moving-home:ada", json.dumps({"token": "t", "to": "node2", "until": time.time() + 60}))
    with pytest.raises(CourseBusy, match="moved"):
        await homes.find("ada")
