"""Handing out, taking in and giving back, with folders as homes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from firstbell.coursework.grading import Plain
from firstbell.coursework.grading_containers import hostile, trusted
from firstbell.coursework.layout import MANIFEST
from firstbell.coursework.nbgrader.program import VERBS
from firstbell.coursework.store import verify
from firstbell.coursework.transport import is_helper
from firstbell.errors import CourseFileError, EngineUnavailable, GradingFailed, StartFailed
from firstbell.model import names
from firstbell.model.coursework import Assignment, HandinKind, Kind, Manifest, State, Task
from firstbell.model.names import Role
from tests.support.coursework import COURSE, Room, contents, fill

HOUR = 3600.0


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def test_release_puts_the_assignment_into_homes_that_need_not_exist(room: Room):
    """Everybody has the files afterwards, whoever never came among them."""
    room.source("hw1", {"task.ipynb": "{}", "data/x.csv": "1"})
    room.home("ada", {"notes.txt": "mine"})
    tasks = await room.done(Kind.RELEASE, "hw1", "ada", "ben")
    assert {task.state for task in tasks} == {State.DONE}
    for user in ("ada", "ben"):
        found = contents(room.engine.homes / user / "assignments" / "hw1")
        assert found == {"task.ipynb": "{}", "data/x.csv": "1"}
    assert contents(room.engine.homes / "ada")["notes.txt"] == "mine"


async def test_released_again_a_students_edits_stay(room: Room):
    """The same version is put once: what somebody made of it since is neither overwritten nor moved."""
    room.source("hw1", {"task.ipynb": "{}"})
    await room.done(Kind.RELEASE, "hw1", "ada")
    home = room.home("ada", {"assignments/hw1/task.ipynb": "solved"})
    [task] = await room.done(Kind.RELEASE, "hw1", "ada")
    assert task.state is State.SKIPPED and "already" in task.words
    assert contents(home) == {"assignments/hw1/task.ipynb": "solved"}


async def test_a_new_version_keeps_the_old_folder_aside(room: Room):
    """A corrected assignment comes beside what was there, which is kept under a dated name."""
    room.source("hw1", {"task.ipynb": "one"})
    await room.done(Kind.RELEASE, "hw1", "ada")
    home = room.home("ada", {"assignments/hw1/task.ipynb": "solved"})
    room.source("hw1", {"task.ipynb": "two"})
    [task] = await room.done(Kind.RELEASE, "hw1", "ada")
    assert task.state is State.DONE and "kept as" in task.words
    found = contents(home)
    assert found.pop("assignments/hw1/task.ipynb") == "two"
    assert found == {"assignments/hw1 (before 2026-09-21 16.13)/task.ipynb": "solved"}


async def test_a_hand_in_is_a_folder_that_matches_its_receipt(room: Room):
    """Receipt, manifest and files agree, and nbgrader finds them with the hub's own time."""
    room.home("ada", {"assignments/hw1/a.ipynb": "A", "assignments/hw1/sub/b.py": "B"})
    task = await room.hand_in("hw1", "ada")
    assert task.state is State.DONE
    [handin] = room.book.handins("hw1", "ada")
    folder = room.layout.handin("hw1", "ada", handin.id)
    manifest = Manifest.of((folder / MANIFEST).read_bytes())
    assert task.receipt == handin.receipt == manifest.receipt
    assert (manifest.user, manifest.time, manifest.kind) == ("ada", room.time, HandinKind.EARLY)
    assert verify(room.layout, handin) == ()
    submitted = contents(room.layout.submitted("ada", "hw1"))
    assert submitted.pop("timestamp.txt") == "2026-09-21 14:13:20.000000 UTC"
    assert submitted == {"a.ipynb": "A", "sub/b.py": "B"}


async def test_a_changed_byte_is_seen(room: Room):
    """Checking a hand-in tells what is not what was handed in."""
    room.home("ada", {"assignments/hw1/a.ipynb": "A", "assignments/hw1/b.py": "B"})
    await room.hand_in("hw1", "ada")
    [handin] = room.book.handins()
    files = room.layout.handin("hw1", "ada", handin.id) / "files"
    (files / "a.ipynb").chmod(0o644)
    (files / "a.ipynb").write_text("a")
    (files / "b.py").unlink()
    fill(files, {"more": ""})
    assert verify(room.layout, handin) == ("a.ipynb was changed", "b.py is missing", "more was not handed in")


async def test_the_last_hand_in_before_the_deadline_counts_and_late_work_is_apart(room: Room):
    """Of three hand-ins the second counts; the third is kept, marked late, and touches nothing of what counts."""
    room.book.keep(Assignment("hw1", due=room.time + HOUR))
    for text, moment in (("one", 0.0), ("two", HOUR - 1), ("three", 2.0)):
        room.time += moment
        room.home("ada", {"assignments/hw1/a.py": text})
        await room.hand_in("hw1", "ada")
    assert [one.kind.value for one in room.book.handins()] == ["early", "early", "late"]
    assert contents(room.layout.submitted("ada", "hw1"))["a.py"] == "two"


async def test_a_student_cannot_say_when_it_was(room: Room):
    """A `timestamp.txt` of theirs is refused, named, and not what the grader reads."""
    room.home("ada", {"assignments/hw1/a.py": "1", "assignments/hw1/timestamp.txt": "1999-01-01 00:00:00 UTC"})
    task = await room.hand_in("hw1", "ada")
    assert "timestamp.txt" in task.words
    assert "2026" in (room.layout.submitted("ada", "hw1") / "timestamp.txt").read_text()


async def test_the_deadline_collects_everybody_once(room: Room):
    """Who has the folder is collected, who has none is named; who handed in keeps what they handed in."""
    room.book.keep(Assignment("hw1", due=room.time + HOUR))
    users = ("ada", "ben", "cem", "dan")
    room.book.ask(Kind.COLLECT, "hw1", dict.fromkeys(users, room.time + HOUR), by="deadline")
    room.home("ada", {"assignments/hw1/a.py": "handed in"})
    await room.hand_in("hw1", "ada")
    room.home("ada", {"assignments/hw1/a.py": "went on"})
    room.home("ben", {"assignments/hw1/a.py": "ben"})
    room.home("cem", {"other": ""})
    desk = room.desk()
    await room.all_done(desk)
    assert len(room.book.handins()) == 1
    room.time += HOUR
    await room.all_done(desk)
    words = {task.user: (task.state, task.words) for task in room.book.tasks("hw1") if task.kind is Kind.COLLECT}
    assert words["ada"][0] is words["ben"][0] is State.DONE
    assert words["cem"] == (State.SKIPPED, "has no folder ~/assignments/hw1")
    assert words["dan"] == (State.SKIPPED, "has no files yet")
    assert contents(room.layout.submitted("ada", "hw1"))["a.py"] == "handed in"
    assert contents(room.layout.submitted("ben", "hw1"))["a.py"] == "ben"


async def test_an_extension_moves_ones_own_collecting(room: Room):
    """The others are collected at the deadline, the one with more time at theirs."""
    room.book.keep(Assignment("hw1", due=room.time + HOUR))
    room.book.ask(Kind.COLLECT, "hw1", dict.fromkeys(("ada", "ben"), room.time + HOUR), by="deadline")
    room.book.extend("hw1", "ben", room.time + 2 * HOUR)
    for user in ("ada", "ben"):
        room.home(user, {"assignments/hw1/a.py": "1"})
    desk = room.desk()
    room.time += HOUR
    await room.all_done(desk)
    assert [one.user for one in room.book.handins()] == ["ada"]
    room.time += HOUR
    await room.all_done(desk)
    assert [(one.user, one.kind) for one in room.book.handins()] == [
        ("ada", HandinKind.DEADLINE), ("ben", HandinKind.DEADLINE)
    ]  # fmt: skip


async def test_collected_too_late_it_says_so(room: Room):
    """A machine that was off at the deadline collects when it is on again, and the words tell the delay."""
    room.book.keep(Assignment("hw1", due=room.time))
    room.book.ask(Kind.COLLECT, "hw1", {"ada": room.time}, by="deadline")
    room.home("ada", {"assignments/hw1/a.py": "1"})
    room.time += 3 * HOUR
    await room.all_done(room.desk())
    [task] = room.book.tasks()
    assert "read only at 2026-09-21 19:13" in task.words
    assert room.book.handins()[0].kind is HandinKind.DEADLINE


async def test_collecting_again_after_the_deadline_takes_only_what_is_new(room: Room):
    """The same files are no second hand-in; changed ones are late and kept apart."""
    room.book.keep(Assignment("hw1", due=room.time))
    room.home("ada", {"assignments/hw1/a.py": "1"})
    await room.done(Kind.COLLECT, "hw1", "ada")
    room.time += HOUR
    [again] = await room.done(Kind.COLLECT, "hw1", "ada")
    assert again.state is State.SKIPPED and "nothing is new" in again.words
    room.home("ada", {"assignments/hw1/a.py": "2"})
    [late] = await room.done(Kind.COLLECT, "hw1", "ada")
    assert late.state is State.DONE and "late" in late.words
    assert contents(room.layout.submitted("ada", "hw1"))["a.py"] == "1"


async def test_feedback_lies_beside_the_assignments(room: Room):
    """What is returned is put where nothing of the student's is, and only to whom there is some."""
    fill(room.layout.feedback("ada", "hw1"), {"a.html": "good"})
    done, skipped = await room.done(Kind.RETURN, "hw1", "ada", "ben")
    assert (done.state, skipped.state) == (State.DONE, State.SKIPPED)
    assert contents(room.engine.homes / "ada") == {"assignments/feedback/hw1/a.html": "good"}


async def test_112_hand_ins_at_once_are_112_receipts(room: Room):
    """Every receipt is another one, and the hash of what is stored under it."""
    users = [f"user-{number:03}" for number in range(112)]
    for user in users:
        room.home(user, {"assignments/hw1/a.py": f"work of {user}"})
    for user in users:
        room.book.ask(Kind.HAND_IN, "hw1", {user: room.time}, by=user)
    await room.all_done(room.desk())
    tasks = room.book.tasks("hw1")
    receipts = {task.user: task.receipt for task in tasks}
    assert {task.state for task in tasks} == {State.DONE}
    assert len(set(receipts.values())) == 112
    stored = {one.user: one for one in room.book.handins("hw1")}
    for user in users:
        assert stored[user].receipt == receipts[user]
        assert verify(room.layout, stored[user]) == ()
        files = room.layout.handin("hw1", user, stored[user].id) / "files"
        assert contents(files) == {"a.py": f"work of {user}"}


async def test_as_many_at_once_as_the_machine_takes(room: Room):
    """No more helpers run at once than there are slots, and all get their turn."""
    room.source("hw1", {"a": "1"})
    gate = room.engine.hold("run")
    room.slots = 3
    room.book.ask(Kind.RELEASE, "hw1", dict.fromkeys([f"u{n}" for n in range(8)], room.time), by="boss")
    desk = room.desk()
    for _ in range(20):
        await desk.look()
        await asyncio.sleep(0.01)
    assert len([call for call in room.engine.calls if call[0] == "run"]) == 3
    gate.set()
    await room.all_done(desk)
    assert {task.state for task in room.book.tasks()} == {State.DONE}


async def test_an_engine_that_is_away_fails_nobody(room: Room):
    """The task waits and is done when the engine is back; its words say what it waits for."""
    room.home("ada", {"assignments/hw1/a.py": "1"})
    room.engine.fail_next("run", EngineUnavailable("the Docker Engine is not available"))
    task = await room.hand_in("hw1", "ada")
    assert task.state is State.DUE and "not available" in task.words
    asked = task.asked
    room.time += 10
    await room.all_done(room.desk())
    [done] = room.book.tasks()
    assert done.state is State.DONE
    assert room.book.handins()[0].time == asked


async def test_what_fails_again_and_again_is_given_up_with_the_reason(room: Room):
    """A container that never starts is tried some times, and then named."""
    room.home("ada", {"assignments/hw1/a.py": "1"})
    room.book.ask(Kind.HAND_IN, "hw1", {"ada": room.time}, by="ada")
    for _ in range(4):
        room.engine.fail_next("run", StartFailed("no room on the disk", next_step="df -h"))
    desk = room.desk()
    for _ in range(5):
        await room.all_done(desk)
        room.time += 100
    [task] = room.book.tasks()
    assert task.state is State.FAILED and task.words == "no room on the disk (df -h)"


class Refusing(Plain):
    """A grader that can grade nobody's work, and has feedback for them all the same."""

    asked = 0

    async def grade(self, assignment: str, user: str) -> str:
        """Refuses."""
        self.asked += 1
        raise GradingFailed(f"{assignment}.ipynb of {user}: it is no notebook")

    async def feedback(self, assignment: str, user: str) -> str:
        """Has points."""
        del assignment, user
        self.asked += 1
        return "5.5 of 6 points"


async def test_a_submission_that_cannot_be_graded_is_not_executed_again(room: Room):
    """It would hang, or do harm, each time; the reason is said at once."""
    room.home("ada", {"assignments/hw1/hw1.ipynb": "{"})
    await room.hand_in("hw1", "ada")
    grader = Refusing(room.layout)
    room.book.ask(Kind.GRADE, "hw1", {"ada": room.time}, by="boss")
    desk = room.desk(grader)
    for _ in range(3):
        await room.all_done(desk)
        room.time += 100
    task = room.book.tasks()[-1]
    assert (task.state, grader.asked) == (State.FAILED, 1) and "no notebook" in task.words


async def test_what_is_returned_has_its_points_and_nobody_ungraded_gets_any(room: Room):
    """Returning to everybody passes over whose work was not graded; the same feedback once more is no lesser return."""
    room.book.keep(Assignment("hw1", has_notebooks=True))
    for user in ("ada", "ben"):
        room.home(user, {})
    fill(room.layout.autograded("ada", "hw1"), {"hw1.ipynb": "{}"})
    fill(room.layout.feedback("ada", "hw1"), {"hw1.html": "good"})
    grader = Refusing(room.layout)
    for place in ("put into", "it is in"):
        batch = room.book.ask(Kind.RETURN, "hw1", dict.fromkeys(("ada", "ben"), room.time), by="boss")
        await room.all_done(room.desk(grader))
        done, skipped = room.book.batch(batch)
        assert done.state is State.DONE and done.words.startswith(f"5.5 of 6 points; {place} ~/assignments/feedback")
        assert (skipped.state, skipped.words) == (State.SKIPPED, "nothing of theirs was graded")
    assert grader.asked == 2


class Unreleasable:
    """A grader that refuses every notebook."""

    def __init__(self) -> None:
        self.asked = 0

    async def release(self, assignment: str) -> str:
        self.asked += 1
        raise CourseFileError(f"{assignment}: two cells have the same id")

    async def grade(self, assignment: str, user: str) -> str:
        return ""

    async def feedback(self, assignment: str, user: str) -> str:
        return ""


async def test_what_cannot_be_released_is_told_before_its_time(room: Room):
    """Whoever asks for a release next week hears today that the notebook is wrong; it is tried once, not per person."""
    room.source("hw1", {"a": "1"})
    later = dict.fromkeys(("ada", "ben", "cem"), room.time + HOUR)
    room.book.ask(Kind.RELEASE, "hw1", later, by="boss")
    grader = Unreleasable()
    desk = room.desk(grader)
    await desk.look()
    await desk.finish()
    assert {(task.state, task.words) for task in room.book.tasks()} == {
        (State.FAILED, "hw1: two cells have the same id")
    }
    assert grader.asked == 1


async def test_handing_in_nothing_is_a_failure_in_words(room: Room):
    """Without the folder, or with nothing in it, there is no receipt."""
    room.home("ada", {"x": ""})
    assert (await room.hand_in("hw1", "ada")).words == "has no folder ~/assignments/hw1"
    (room.engine.homes / "ada" / "assignments" / "hw1").mkdir(parents=True)
    task: Task = await room.hand_in("hw1", "ada")
    assert (task.state, task.words, task.receipt) == (State.FAILED, "~/assignments/hw1 is empty", "")
    assert room.book.handins() == ()


async def test_the_folder_as_a_link_to_elsewhere_is_refused(room: Room, tmp_path: Path):
    """A home's owner cannot have the hub read, or write, what the folder's link leads to."""
    outside = fill(tmp_path / "outside", {"secret": "x"})
    home = room.home("ada", {"x": ""})
    (home / "assignments").symlink_to(outside)
    room.source("hw1", {"a": "1"})
    room.book.ask(Kind.HAND_IN, "hw1", {"ada": room.time}, by="ada")
    room.book.ask(Kind.RELEASE, "hw1", {"ada": room.time}, by="boss")
    await room.all_done(room.desk())
    assert [task.state for task in room.book.tasks()] == [State.FAILED, State.FAILED]
    assert len(room.engine.specs) == 2  # trying again would be the same again
    assert all("link" in task.words for task in room.book.tasks())
    assert contents(outside) == {"secret": "x"}


async def test_equal_files_of_hand_ins_are_kept_once(room: Room):
    """Handing in again and again what did not change fills no disk."""
    room.home("ada", {"assignments/hw1/big": "x" * 100_000, "assignments/hw1/a": "1"})
    await room.hand_in("hw1", "ada")
    room.time += 1
    room.home("ada", {"assignments/hw1/a": "2"})
    await room.hand_in("hw1", "ada")
    inodes = {path.stat().st_ino for path in (room.layout.root / "handins").rglob("big")}
    assert len(inodes) == 1
    assert all(verify(room.layout, one) == () for one in room.book.handins())


async def test_helpers_see_one_home_without_rights(room: Room):
    """Taking is read-only with the one right to read; putting is as the owner; neither has a network."""
    room.source("hw1", {"a": "1"})
    await room.done(Kind.RELEASE, "hw1", "ada")
    await room.hand_in("hw1", "ada")
    put, take = room.engine.specs
    assert (put.capabilities, put.mounts[0].read_only) == ((), False)
    assert (take.user, take.capabilities, take.mounts[0].read_only) == ("0:0", ("DAC_READ_SEARCH",), True)
    for spec in (put, take):
        assert spec.network == "none" and not spec.new_privileges
        assert [mount.source for mount in spec.mounts] == ["home-ada"]


async def test_helpers_are_told_from_others_of_a_course_or_user_named_coursework(room: Room):
    """A new desk ends what a killed one has left, and nothing else."""
    room.home("ada", {"assignments/hw1/a.py": "1"})
    await room.hand_in("hw1", "ada")
    ours = [room.engine.specs[0].name, hostile(COURSE, "image", "hw1/ada").name]
    ours += [trusted(COURSE, "image", verb, "hw1/ada").name for verb in VERBS]
    assert all(is_helper(name) for name in ours), ours
    course = "my-coursework"
    others = [names.container(course, role) for role in Role] + [names.container("c", Role.HELPER, "coursework")]
    others += [f"{names.container(course, Role.HELPER)}-compress", names.container(course, Role.SERVER, "ada")]
    assert not [name for name in others if is_helper(name)]


async def test_thousands_of_files_cost_no_more_than_themselves(room: Room):
    """Handing in thousands of files again takes time by their number, not by its square."""
    room.home("ada", {f"assignments/hw1/f{number}": str(number) for number in range(1500)})
    await room.hand_in("hw1", "ada")
    room.time += 1
    began = time.process_time()
    task = await room.hand_in("hw1", "ada")
    assert task.state is State.DONE
    assert time.process_time() - began < 5
