"""The order of a grading's containers, on an engine without containers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from firstbell.coursework import grading_containers
from firstbell.coursework.nbgrader_grader import About, Graded, NbGrader
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.errors import GradingFailed
from firstbell.model import names
from firstbell.model.container import VolumeSpec
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.plan.grader_image import PYTHON, grader_build

PREPARED: dict[str, Any] = {
    "notebooks": {"ps1": {}},
    "digests": {"ps1": "d"},
    "files": "",
    "cell_seconds": 0,
    "remarks": ["first"],
}
RECORDED: dict[str, Any] = {"score": 3, "max_score": 5, "needs_manual": True, "late_penalty": 1, "remarks": ["second"]}


class Programs:
    """Stands for the programs in the containers; keeps what they were given."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"prepare": PREPARED, "record": RECORDED, "execute": '{"notebooks": {}}'}
        self.writing = self.most_writing = self.executing = self.most_executing = self.reading = self.most_reading = 0
        self.crossed = False

    async def trusted(self, process: Process) -> int:
        verb = process.argv[-1]
        self.heard.append((verb, json.loads(process.stdin)))
        self.writing += verb in {"record", "student"}
        self.reading += verb == "feedback"
        self.most_writing = max(self.most_writing, self.writing)
        self.most_reading = max(self.most_reading, self.reading)
        self.crossed = self.crossed or bool(self.writing and self.reading)
        await asyncio.sleep(0.01)
        self.writing -= verb in {"record", "student"}
        self.reading -= verb == "feedback"
        answer = self.answers[verb]
        process.complain("log")
        process.say(answer if isinstance(answer, str) else json.dumps(answer))
        return 1 if answer == "broken" else 0

    async def hostile(self, process: Process) -> int:
        self.heard.append(("execute", json.loads(process.stdin)))
        self.executing += 1
        self.most_executing = max(self.most_executing, self.executing)
        await asyncio.sleep(0.01)
        self.executing -= 1
        answer = self.answers["execute"]
        if callable(answer):
            return int(await answer(process))
        process.say("noise")
        process.say(answer)
        return 0


@pytest.fixture
def programs() -> Programs:
    """What the containers run."""
    return Programs()


@pytest.fixture
async def grader(programs: Programs) -> NbGrader:
    """A course with a folder and no image yet."""
    server: Any = {"image": "course:1"}
    course = Course(name="demo", server=server)
    engine = FakeEngine()
    engine.programs = {**engine.programs, PYTHON: programs.trusted, "python3": programs.hostile}
    await engine.ensure_volume(VolumeSpec(names.volume("demo", Role.COURSEWORK)))
    engine.images["course:1"] = ImageState("course:1", "sha256:0")
    return NbGrader(engine, course, "course:1", grader_build(course))


async def test_three_containers_and_what_each_is_given(grader: NbGrader, programs: Programs) -> None:
    """The hostile one gets notebooks and files; what it says goes unread to the one that records."""
    grader.tell = lambda *_: About(due="2026-11-20T12:00:00+00:00", extension_seconds=60, last_name="Lee")
    graded = await grader.graded("ps1", "ann")
    assert graded == Graded(3, 5, needs_manual=True, late_penalty=1, remarks=("first", "second"))
    (one, prepare), (two, execute), (three, record) = programs.heard
    assert (one, two, three) == ("prepare", "execute", "record")
    assert prepare["user"] == "ann" and prepare["course"] == "demo"
    assert set(execute) == {"notebooks", "files", "folder", "cell_seconds", "seconds", "output_bytes"}
    assert execute["cell_seconds"] == grading_containers.CELL_SECONDS
    assert record["said"] == '{"notebooks": {}}' and record["ended"] == "" and record["digests"] == {"ps1": "d"}
    assert (record["due"], record["extension_seconds"]) == ("2026-11-20T12:00:00+00:00", 60)
    assert await grader.grade("ps1", "ann") == (
        "3 of 5 points; 1 taken off for being late; the rest is graded by hand; first; second"
    )


async def test_many_at_once_have_one_writer(grader: NbGrader, programs: Programs) -> None:
    """Execution goes in parallel; the gradebook has one writer at a time."""
    await asyncio.gather(*(grader.graded("ps1", f"user{n}") for n in range(8)))
    assert programs.most_executing > 1
    assert programs.most_writing == 1


async def test_feedback_is_made_side_by_side_while_nobody_writes(grader: NbGrader, programs: Programs) -> None:
    """Its pages only read the gradebook."""
    programs.answers["feedback"] = {"score": 1, "max_score": 1, "needs_manual": False, "late_penalty": 0}
    writes = (grader.graded("ps1", f"user{n}") for n in range(4))
    await asyncio.gather(*writes, *(grader.feedback("ps1", f"user{n}") for n in range(8)))
    assert programs.most_reading > 1 and programs.most_writing == 1 and not programs.crossed


async def test_without_a_deadline_the_gradebooks_own_is_left_alone(grader: NbGrader, programs: Programs) -> None:
    """Somebody may have set one with nbgrader."""
    await grader.graded("ps1", "ann")
    assert "due" not in programs.heard[-1][1]


async def _exit(code: int) -> int:
    return code


@pytest.mark.parametrize(
    ("ends", "ended"),
    [
        (lambda _: _exit(137), "it was killed, as is what takes more memory than it may"),
        (lambda _: _exit(3), "it ended with exit code 3"),
        (lambda _: _exit(0), "it ended before it had said anything"),
        (lambda process: process.terminated.wait(), "it did not end within 0.05 seconds"),
    ],
)
async def test_however_execution_ends_is_said(
    grader: NbGrader,
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    ends: Callable[[Process], Any],
    ended: str,
) -> None:
    """Whoever records decides what that means; nothing is left of the container."""
    monkeypatch.setattr(grading_containers, "SECONDS", 0.05)
    monkeypatch.setattr(grading_containers, "END_SECONDS", 0.0)
    programs.answers["execute"] = ends
    await grader.graded("ps1", "ann")
    assert programs.heard[-1][1]["ended"] == ended
    assert not (await grader.engine.observe("demo")).containers


async def test_what_cannot_be_graded_is_said_with_where_and_what_next(grader: NbGrader, programs: Programs) -> None:
    """And it is not executed."""
    programs.answers["prepare"] = {"problems": ["ps1.ipynb: it is no notebook", "b.ipynb: nor this"]}
    with pytest.raises(GradingFailed) as failed:
        await grader.graded("ps1", "ann")
    assert failed.value.what == "ps1.ipynb: it is no notebook"
    assert failed.value.where == "submitted/ann/ps1"
    assert failed.value.evidence == ("b.ipynb: nor this",) and failed.value.next_step
    assert [verb for verb, _ in programs.heard] == ["prepare"]


async def test_a_program_that_breaks_shows_its_last_lines(grader: NbGrader, programs: Programs) -> None:
    """A fault of nbgrader's, or of ours."""
    programs.answers["student"] = "broken"
    with pytest.raises(GradingFailed, match="exit code 1") as failed:
        await grader.release("ps1")
    assert "log" in failed.value.evidence


async def test_the_image_is_built_once_for_all(grader: NbGrader) -> None:
    """When it is first needed."""
    assert await grader.engine.image(grader.grader.tag) is None
    tags = await asyncio.gather(*(grader.ensure_image() for _ in range(3)))
    assert set(tags) == {grader.grader.tag}
    assert await grader.engine.image(grader.grader.tag) is not None


async def test_a_release_says_what_it_is_worth(grader: NbGrader, programs: Programs) -> None:
    """Its notebooks and their points."""
    programs.answers["student"] = {"notebooks": ["a", "b"], "max_score": 5.0, "remarks": []}
    assert await grader.release("ps1") == "a.ipynb, b.ipynb: 5 points"
