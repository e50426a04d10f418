"""SIGKILL at every step of release, hand-in, collect and return: nothing is half-done, nothing of anybody's is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework.files import regular
from firstbell.coursework.inside import BESIDE
from firstbell.coursework.store import verify
from firstbell.coursework.tables import Tables
from firstbell.model.coursework import Assignment, Kind, State
from tests.support.coursework import Room, contents, fill

STEPS = {"os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.chmod", "open", "ctypes.call_function"}
MOST = 400
HOUR = 3600.0


def release(room: Room) -> None:
    room.source("hw1", {"a.py": "new", "data/b": "B"})
    room.home("ada", {"assignments/hw1/a.py": "my work"})
    room.book.ask(Kind.RELEASE, "hw1", {"ada": room.time}, by="boss")


def hand_in(room: Room) -> None:
    room.home("ada", {"assignments/hw1/a.py": "old", "assignments/hw1/keep": "k"})
    asyncio.run(room.hand_in("hw1", "ada"))
    room.time += 1
    room.home("ada", {"assignments/hw1/a.py": "my work"})
    room.book.ask(Kind.HAND_IN, "hw1", {"ada": room.time}, by="ada")


def collect(room: Room) -> None:
    room.book.keep(Assignment("hw1", due=room.time))
    room.home("ada", {"assignments/hw1/a.py": "my work", "assignments/hw1/sub/b": "B"})
    room.book.ask(Kind.COLLECT, "hw1", {"ada": room.time}, by="deadline")


def give_back(room: Room) -> None:
    fill(room.layout.feedback("ada", "hw1"), {"a.html": "well done"})
    room.home("ada", {"assignments/feedback/hw1/a.html": "earlier feedback"})
    room.book.ask(Kind.RETURN, "hw1", {"ada": room.time}, by="boss")


def check_release(room: Room) -> None:
    found = contents(room.engine.homes / "ada")
    assert found["assignments/hw1/a.py"] == "new" and found["assignments/hw1/data/b"] == "B"
    assert [text for path, text in found.items() if "before" in path] == ["my work"]


def check_hand_in(room: Room) -> None:
    assert [one.time for one in room.book.handins()] == [room.time - 1, room.time]
    assert contents(room.layout.submitted("ada", "hw1"))["a.py"] == "my work"


def check_collect(room: Room) -> None:
    assert len(room.book.handins()) == 1
    assert contents(room.layout.submitted("ada", "hw1"))["sub/b"] == "B"


def check_give_back(room: Room) -> None:
    found = contents(room.engine.homes / "ada")
    assert found["assignments/feedback/hw1/a.html"] == "well done"
    assert [text for path, text in found.items() if "before" in path] == ["earlier feedback"]


@contextmanager
def killed_at(step: int):
    """Ends this process before the step of that number that changes a file, or commits to the book."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event != "open" or (len(arguments) > 2 and int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if event in STEPS and writes:
            count()

    original = Tables.writing

    @contextmanager
    def writing(self: Tables):
        with original(self) as db:
            yield db
            count()
        count()

    Tables.writing = writing  # type: ignore[method-assign]
    sys.addaudithook(audit)
    yield


def work(root: Path, step: int, moment: float) -> int:
    """A desk in a process of its own that is killed at a step; the process's end."""
    child = os.fork()
    if child == 0:
        try:
            room = Room(root)
            room.time = moment
            with killed_at(step):
                asyncio.run(room.all_done(room.desk()))
        except BaseException:
            os._exit(3)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def nothing_is_half_done(room: Room) -> None:
    """At any moment: hand-ins are whole, what counts is one of them, and homes hold no half of anything."""
    for one in room.book.handins():
        assert verify(room.layout, one) == ()
    for folder in (room.layout.root / "handins").glob("*/*/*"):
        assert (folder / "manifest.json").is_file(), folder
    submitted = contents(room.layout.submitted("ada", "hw1"))
    if submitted:
        submitted.pop("timestamp.txt")
        kept = [contents(path) for path in (room.layout.root / "handins").glob("*/*/*/files")]
        assert submitted in kept
    for path in regular(room.engine.homes / "ada"):
        if path.name in {"a.py", "a.html"} and BESIDE not in str(path):
            assert path.read_text() in {"old", "new", "my work", "well done", "earlier feedback"}


@pytest.mark.parametrize(
    ("prepare", "check"),
    [(release, check_release), (hand_in, check_hand_in), (collect, check_collect), (give_back, check_give_back)],
)
def test_killed_at_every_step(tmp_path: Path, prepare: Callable[[Room], None], check: Callable[[Room], None]):
    """Wherever the desk is killed, what is there is whole, and the next desk ends what was begun: once."""
    kills = 0
    for step in range(1, MOST):
        root = tmp_path / str(step)
        root.mkdir()
        room = Room(root)
        prepare(room)
        before = contents(room.engine.homes / "ada")
        room.book.close()
        ended = work(root, step, room.time)
        assert os.WIFSIGNALED(ended) or ended == 0, f"step {step}: the desk failed"
        after = Room(root)
        after.time = room.time
        nothing_is_half_done(after)
        lost = set(before.values()) - set(contents(after.engine.homes / "ada").values())
        assert not lost, f"step {step}: lost {lost}"
        asyncio.run(after.all_done(after.desk()))
        assert {task.state for task in after.book.tasks()} <= {State.DONE, State.SKIPPED}, step
        assert not any(BESIDE in str(path) for path in after.engine.homes.rglob("*")), step
        assert list(after.layout.incoming.glob("*")) == []
        nothing_is_half_done(after)
        check(after)
        after.book.close()
        if not os.WIFSIGNALED(ended):
            break
        kills += 1
    assert 10 < kills < MOST - 1, kills
