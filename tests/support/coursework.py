"""A coursework with real folders as homes: what runs in helper containers runs here, on those folders."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from firstbell.coursework import inside
from firstbell.coursework.acts import Acts
from firstbell.coursework.book import Book
from firstbell.coursework.desk import Desk
from firstbell.coursework.files import taken_files
from firstbell.coursework.grading import Grader, Plain
from firstbell.coursework.layout import Layout
from firstbell.coursework.transport import Bounds, Home, Transport
from firstbell.engine.fake import FakeEngine
from firstbell.model.container import ContainerSpec, Mount, MountKind
from firstbell.model.course import Course
from firstbell.model.coursework import Assignment, Kind, Task, digest_of
from firstbell.model.names import LABEL_USER
from firstbell.model.observed import RunResult
from firstbell.model.runtime import HOME_DIR

COURSE = Course.model_validate(
    {"name": "stats", "time_zone": "Europe/Berlin", "server": {"image": "i"}, "coursework": {"folder": "assignments"}}
)
NOW = 1_790_000_000.0


class FolderEngine(FakeEngine):
    """An engine whose helper containers see a folder of this machine as the home of the user in their label."""

    def __init__(self, homes: Path) -> None:
        super().__init__()
        self.homes = homes
        self.specs: list[ContainerSpec] = []

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        """Runs `inside.py` in this process."""
        del deadline
        self.specs.append(spec)
        await self._enter("run", spec.name)
        return run_inside(self.homes / spec.labels[LABEL_USER], spec.command[3:], stdin)


def run_inside(home: Path, words: tuple[str, ...], stdin: bytes = b"") -> RunResult:
    """What `inside.py` with these words does to a home."""
    verb, _, place, *rest = words
    lines: list[str] = []
    try:
        if verb == "take":
            inside.take(str(home), place, json.loads(rest[0]), lambda line: lines.append(json.dumps(line)))
        else:
            digest, aside = rest
            with contextlib.chdir(home):
                lines.append(json.dumps(inside.put(str(home), place, digest, aside, iter(stdin.splitlines()))))
    except inside._More:
        return RunResult(inside.TOO_MUCH)
    except (inside.Refusal, OSError, ValueError) as error:
        return RunResult(inside.REFUSED if isinstance(error, inside.Refusal) else 1, stderr=str(error).encode())
    return RunResult(0, stdout="\n".join(lines).encode())


class FolderHomes:
    """Homes that are folders; `has` are those there are."""

    def __init__(self, engine: FolderEngine) -> None:
        self.engine = engine

    async def find(self, user: str) -> Home | None:
        """That folder."""
        return self._home(user) if (self.engine.homes / user).is_dir() else None

    async def make(self, user: str) -> Home:
        """That folder, made if it is missing."""
        (self.engine.homes / user).mkdir(parents=True, exist_ok=True)
        return self._home(user)

    def _home(self, user: str) -> Home:
        return Home(user, self.engine, Mount(MountKind.VOLUME, f"home-{user}", HOME_DIR), os.getuid(), os.getgid())


class Room:
    """A course's coursework in a folder, with a clock that stands still."""

    def __init__(self, root: Path, course: Course = COURSE, *, slots: int = 4) -> None:
        self.root = root
        self.time = NOW
        self.layout = Layout(root / "coursework")
        self.layout.root.mkdir(parents=True, exist_ok=True)
        self.engine = FolderEngine(root / "homes")
        self.engine.homes.mkdir(exist_ok=True)
        self.course = course
        self.slots = slots
        self.book = Book(self.layout.book, self.now)

    def now(self) -> float:
        """The clock."""
        return self.time

    def desk(self, grader: Grader | None = None, bounds: Bounds | None = None) -> Desk:
        """A new desk, as after a start of the hub."""
        acts = Acts(
            self.course,
            self.layout,
            self.book,
            homes=FolderHomes(self.engine),
            transport=Transport(self.course.name, "image", bounds),
            grader=grader or Plain(self.layout),
            now=self.now,
        )
        desk = Desk(self.layout, self.book, acts, lambda: self.slots)
        desk.open()
        return desk

    def source(self, name: str, files: Mapping[str, str]) -> None:
        """An assignment as it has come from the course's folder."""
        fill(self.layout.source(name), files)
        known = self.book.assignment(name) or Assignment(name)
        digest = digest_of(taken_files(self.layout.source(name)))
        self.book.keep(Assignment(name, digest, known.due, made=known.made))

    def home(self, user: str, files: Mapping[str, str]) -> Path:
        """Somebody's home with these files in it."""
        return fill(self.engine.homes / user, files)

    async def all_done(self, desk: Desk) -> None:
        """Work until nothing more is due now."""
        while await desk.look() or self.book.due(1):
            await desk.finish()
        await desk.finish()

    async def done(self, kind: Kind, assignment: str, *users: str, by: str = "boss") -> tuple[Task, ...]:
        """Ask for it now, and what has become of it."""
        batch = self.book.ask(kind, assignment, dict.fromkeys(users, self.time), by=by)
        await self.all_done(self.desk())
        return self.book.batch(batch)

    async def hand_in(self, assignment: str, user: str) -> Task:
        """A person's own hand-in."""
        [task] = await self.done(Kind.HAND_IN, assignment, user, by=user)
        return task


def fill(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with exactly these files, added to what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def contents(folder: Path, but: Callable[[Path], bool] = lambda path: path.name == inside.MARKER) -> dict[str, str]:
    """Path and text of the regular files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not but(path)
    }
