"""`firstbell release`, `collect`, `return`, `extend`, `assignments`: from the command to folders that are homes."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

from firstbell.cli import common
from firstbell.config.reader import read_course
from firstbell.config.wire import to_wire
from firstbell.coursework import desk
from firstbell.coursework.transport import Home
from firstbell.engine.fake import FakeEngine
from firstbell.errors import CourseBusy, CourseFileError
from firstbell.hub import control, coursework_control
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records.acts import COMMAND_LINE
from firstbell.hub.state.secrets import read_or_create
from firstbell.model.container import File
from firstbell.model.observed import ContainerState, Phase, RunResult
from firstbell.model.runtime import COURSEWORK_DIR
from firstbell.work import coursework as work
from firstbell.work import people
from tests.support.coursework import FolderHomes, Room, contents, fill

from .conftest import Command

ROSTER = "username,name,email,role,section\nada,Ada,,student,A\nben,Ben,,student,B\n"
_PROGRAMS = {"firstbell.hub.control": control, "firstbell.hub.coursework_control": coursework_control}


class HubEngine(FakeEngine):
    """An engine whose hub is the real control and a real desk, on folders."""

    room: Room
    root: Path
    is_up = True

    async def state(self, name: str) -> ContainerState:
        return ContainerState(name, Phase.RUNNING if self.is_up else Phase.MISSING)

    async def put(self, name: str, files: Iterable[File]) -> None:
        for file in files:
            place = self.room.layout.root / Path(file.path).relative_to(COURSEWORK_DIR)
            if file.content is None:
                place.mkdir(exist_ok=True)
            else:
                place.write_bytes(file.content)

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        _, _, module, *words = argv
        program = _PROGRAMS[module]
        place = ["--course", self.root / "course.json", "--secrets", self.root / "secrets.json", "--state", self.root]
        if program is coursework_control:
            place += ["--folder", self.room.layout.root]
        if words[0] == "progress":
            await self.room.all_done(self.room.desk())
        out = io.StringIO()
        with redirect_stdout(out):
            code = await asyncio.to_thread(program.main, [*map(str, place), *words])
        return RunResult(code, out.getvalue().encode())


@pytest.fixture
def hub(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubEngine:
    """A running hub of the course in the current folder."""
    (tmp_path / "firstbell.toml").write_text(
        'name = "stats"\ntime_zone = "Europe/Berlin"\n[access]\nlogin = "roster"\n[server]\nimage = "i"\n[coursework]\n'
    )
    (tmp_path / "roster.csv").write_text(ROSTER)
    fill(tmp_path / "assignments" / "hw1", {"a.py": "task", "data/b.csv": "1", "__pycache__/x.pyc": ""})
    engine, root = HubEngine(), tmp_path / "hub"
    root.mkdir()
    course = read_course(tmp_path, {})
    for name, content in zip(("course.json", "secrets.json"), to_wire(course), strict=True):
        (root / name).write_bytes(content)
    PeopleStore(root / "people.sqlite", read_or_create(root / "people.key")).keep("roster", ROSTER)
    engine.root, engine.room = root, Room(root, course)
    engine.room.now = time.time  # type: ignore[method-assign]
    engine.room.book.now = engine.room.now

    async def connect(kind: str, host: str = "", certificates: object = None) -> HubEngine:
        return engine

    monkeypatch.setattr(common, "connect", connect)
    return engine


def test_release_hand_in_collect_and_return(command: Command, hub: HubEngine):
    """The folder reaches every home, comes back with what was made of it, and feedback lies beside it."""
    done = command("release", "hw1")
    assert done.code == 0, done.err
    assert "handed out to 2 people" in done.out
    for user in ("ada", "ben"):
        assert contents(hub.room.engine.homes / user / "assignments/hw1") == {"a.py": "task", "data/b.csv": "1"}
    hub.room.home("ada", {"assignments/hw1/a.py": "solved"})
    (hub.room.engine.homes / "ada/assignments/hw1/link").symlink_to("/etc/passwd")
    done = command("collect", "hw1")
    assert done.code == 0 and "ada: 3 files" not in done.out
    assert "1 not taken: link, a symbolic link" in done.out and "collected from 2 people" in done.out
    assert contents(hub.room.layout.submitted("ada", "hw1"))["a.py"] == "solved"
    fill(hub.room.layout.feedback("ada", "hw1"), {"a.html": "good"})
    done = command("return", "hw1")
    assert "feedback returned to 1 person" in done.out and "ben: there is no feedback for them" in done.out


def test_a_dry_run_shows_whom_and_when(command: Command, hub: HubEngine):
    """Nothing is brought, nothing is written."""
    new = command("release", "hw1", "--dry-run")
    assert (new.code, new.out.strip()) == (0, "would bring hw1 (2 files) to the hub, as a new one")
    command("release", "hw1", "--to", "ada")
    planned = json.loads(command("collect", "hw1", "--to", "B", "--at", "2099-01-01 08:00", "--dry-run", "--json").out)
    assert planned["people"] == ["ben"] and planned["at"] == "2099-01-01 08:00" and planned["dry_run"]
    assert hub.room.book.open_tasks() == ()


def test_for_later_it_is_left_to_the_hub(command: Command, hub: HubEngine):
    """The command does not wait for next year, and says when what happens; more time is somebody's own."""
    done = command("release", "hw1", "--at", "2099-01-01 08:00", "--due", "2099-02-01 18:00")
    assert done.code == 0 and "at 2099-01-01 08:00 Europe/Berlin for 2 people" in done.out
    assert "Due 2099-02-01 18:00" in done.out
    assert not (hub.room.engine.homes / "ada").exists()
    done = command("extend", "hw1", "ben", "--until", "2099-03-01 18:00")
    assert "is due 2099-03-01 18:00 Europe/Berlin for ben" in done.out
    shown = {row["user"]: row for row in json.loads(command("assignments", "show", "hw1", "--json").out)["people"]}
    assert (shown["ada"]["due"], shown["ben"]["due"]) == ("2099-02-01 18:00", "2099-03-01 18:00")
    assert shown["ben"]["extended"]


def test_lists_for_people_and_programs(command: Command, hub: HubEngine):
    """What there is, who is how far, and one person's receipts."""
    assert "no assignments yet" in command("assignments", "list").out
    command("release", "hw1")
    command("collect", "hw1", "--to", "ada")
    assert "2 of 2" in command("assignments", "list").out
    [row] = json.loads(command("assignments", "list", "--json").out)["assignments"]
    assert (row["released"], row["handed_in"]) == (2, 1)
    assert "ben" in command("assignments", "show", "hw1").out
    [receipt] = json.loads(command("assignments", "show", "hw1", "--user", "ada", "--json").out)
    assert receipt["receipt"] == hub.room.book.handins()[0].receipt and receipt["counts"]
    assert receipt["receipt"] in command("assignments", "show", "hw1", "--user", "ada").out
    assert "handed in nothing" in command("assignments", "show", "hw1", "--user", "ben").out


def test_who_joined_after_the_release_is_named(command: Command, hub: HubEngine):
    """With the command that hands it out to them; and with the one for more time, where their deadline is past."""
    command("release", "hw1", "--to", "ben", "--due", "+1h")
    assert "Not handed out to ada: firstbell release hw1 --to ada" in command("assignments", "show", "hw1").err
    hub.room.book.keep(replace(hub.room.book.assignments()[0], due=time.time() - 1))
    done = command("release", "hw1", "--to", "ada")
    assert "deadline is past for 1 person" in done.err and "firstbell extend hw1 ada --until TIME" in done.err
    assert "work is collected then" not in done.out
    assert "Not handed out" not in command("assignments", "show", "hw1").err


def test_who_could_not_be_served_is_named_and_the_exit_code_says_so(command: Command, hub: HubEngine):
    """One for whom it fails is told of by name, the others are served, and a program sees it, too."""
    command("release", "hw1")
    hub.room.engine.fail_next("run", CourseFileError("no such thing", next_step="do this"))
    done = command("collect", "hw1", "--json")
    assert done.code == 1 and "failed for 1 of 2 people" in done.err
    states = {task["user"]: task for task in json.loads(done.out)["progress"]["tasks"]}
    assert [task["words"] for task in states.values() if task["state"] == "failed"] == ["no such thing (do this)"]
    assert len(hub.room.book.handins()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("release", "../x"), "cannot be the name"),
        (("release", "hw1", "--at", "soon"), "is no time"),
        (("release", "hw1", "--to", "zoe"), "neither a person nor a section"),
        (("collect", "hw7"), "no assignment hw7"),
        (("assignments", "show", "hw7"), "no assignment hw7"),
    ],
)
def test_mistakes_are_told_with_what_to_do(command: Command, hub: HubEngine, words: tuple[str, ...], said: str):
    """Exit code 2, the reason, and the next command; no home is touched."""
    done = command(*words)
    assert done.code == 2 and said in done.err
    assert list(hub.room.engine.homes.iterdir()) == []


def test_links_in_the_courses_own_folder_are_refused(command: Command, hub: HubEngine, tmp_path: Path):
    """An assignment that holds a link to something of the teacher's is not handed out."""
    (tmp_path / "assignments/hw1/key").symlink_to("/root/.ssh/id_rsa")
    done = command("release", "hw1")
    assert done.code == 2 and "no plain file" in done.err
    assert hub.room.book.assignments() == ()


def test_without_a_hub_or_coursework_it_says_what_to_type(command: Command, hub: HubEngine, tmp_path: Path):
    """A course that does not run, or has no [coursework]."""
    hub.is_up = False
    assert "firstbell up" in command("release", "hw1").err
    text = (tmp_path / "firstbell.toml").read_text().replace("[coursework]", "")
    (tmp_path / "firstbell.toml").write_text(text)
    done = command("assignments", "list")
    assert done.code == 2 and "[coursework]" in done.err


def test_who_has_to_wait_is_named_and_not_waited_for(command: Command, hub: HubEngine, monkeypatch: pytest.MonkeyPatch):
    """Homes whose node is away: the others are served, each of them is named with why, and the command ends."""

    make = FolderHomes.make

    async def away_for_ben(homes: FolderHomes, user: str) -> Home:
        if user == "ben":
            raise CourseBusy("the files of ben are on node2, which does not answer now")
        return await make(homes, user)

    monkeypatch.setattr(FolderHomes, "make", away_for_ben)
    monkeypatch.setattr(desk, "_AGAIN", 0.01)
    done = command("release", "hw1")
    assert done.code == 1 and "has to wait for 1 of" in done.err and "hub goes on by itself" in done.err
    assert "  ben: trying again: the files of ben are on node2" in done.out
    assert "handed out to" in done.out and "  ada" not in done.out


async def test_a_hand_in_for_somebody_has_a_receipt_and_is_written_down(command: Command, hub: HubEngine):
    """Whoever has the machine can hand in for a person whose browser does not work; the book says who did."""
    course = read_course(Path(), {})
    brought = work.read_assignment(Path(), "hw1")
    await work.bring(hub, course, brought)
    hub.room.home("ada", {"assignments/hw1/a.py": "solved"})
    order = await work.ask(hub, course, "hand-in", "hw1", "ada")
    ended = await work.follow(hub, course, order, lambda _: None)
    [task] = ended["tasks"]
    receipt = await work.ask(hub, course, "receipt", "hw1", "ada", task["receipt"])
    assert [file["path"] for file in receipt["files"]] == ["a.py"] and receipt["by"] == "ada"
    [written] = await people.acts(hub, course, 0, "ada")
    assert (written.who, written.what, written.words) == (COMMAND_LINE, "hand-in", "hw1")
    with pytest.raises(CourseFileError, match="nobody of the course"):
        await work.ask(hub, course, "hand-in", "hw1", "zoe")
