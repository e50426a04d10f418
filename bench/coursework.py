"""Coursework of a large class on the real engine: released to every home, collected from each, 40 of them graded."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from bench import machine
from bench.containers_cpu import ContainersCpu
from bench.engine import Engine, wait_until
from bench.figures import Figure, Goal, at_least, at_most
from bench.options import Options
from bench.our_side import FIRSTBELL
from bench.record import Record
from bench.side import prefix
from firstbell.model import names
from firstbell.model.names import Role
from tests.support.assignment import answered, as_text, source
from tests.support.course import PROJECT
from tests.support.listening import free_port

PEOPLE, GRADED = 220, 40
_LONGEST = 120.0
"""Seconds for all homes, to release and to collect."""
_FULL = 0.9
"""Part of the cores that is to be busy while submissions are graded."""
_OTHERS = 0.3
"""Cores busy with other work, above which busy cores prove nothing: then that goal is neither met nor missed."""
_LOOK = 3.0
_FILE = """\
name = "{name}"
url = "{url}"

[access]
login = "roster"
standby = 0

[server]
project = "{project}"
memory = "512M"

[coursework]
"""
_AUTOGRADE = """\
mkdir /tmp/c && cd /tmp/c && cp -r /w/source /w/release /w/gradebook.db /w/nbgrader_config.py . && mkdir submitted &&
for user in {users}; do cp -r /w/submitted/$user submitted/; done && chmod -R u+w . &&
export HOME=/tmp PATH={path}:$PATH && nbgrader autograde ps1 >&2 && ls autograded | wc -l
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One step for many: seconds of time and of CPU."""

    step: str
    people: int
    seconds: float
    containers_cpu: float
    """Of its helper containers, from their first instruction."""
    machine_cpu: float
    """Of everything on the machine meanwhile: with the engine's own, and whatever else the machine did."""
    busy_before: float
    """Cores that were busy just before it began."""
    containers: int


@dataclass(frozen=True, slots=True)
class Classroom:
    """The course, up."""

    engine: Engine
    folder: Path
    people: tuple[str, ...]

    def cli(self, *words: str) -> dict[str, Any]:
        """A coursework command with --json."""
        command = [FIRSTBELL, *words, str(self.folder), "--json"]
        said: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return said

    def measured(self, step: str, people: int, do: Callable[[], Any], helper: str) -> Measured:
        """What a step takes; `helper` is in the names of its containers."""
        busy = _busy()
        with ContainersCpu(self.engine, prefix(), names.container(prefix(), Role.HUB)) as containers:
            began, before = time.monotonic(), machine.cpu()
            do()
            seconds, everything = time.monotonic() - began, machine.cpu() - before
        cpu, count = containers.of(lambda name: helper in name)
        found = Measured(step, people, round(seconds, 1), round(cpu, 1), round(everything, 1), round(busy, 2), count)
        print(f"  {found}", flush=True)
        return found


def run(engine: Engine, options: Options) -> Record:
    """Release, collect, grade; and nbgrader's own autograde on the same submissions, one after the other."""
    people = options.crowd(PEOPLE)
    graded = min(people, GRADED // 4 if options.quick else GRADED)
    with _up(engine, people) as room:
        _first_release(room)
        everybody = ("--to", "class")
        release = room.measured("release", people, lambda: _done(room.cli("release", "ps1", *everybody), people),
                                "-coursework-")  # fmt: skip
        chosen = room.people[:graded]
        _solve(room, chosen)
        collect = room.measured("collect", people, lambda: _done(room.cli("collect", "ps1", *everybody), people),
                                "-coursework-")  # fmt: skip
        alone = room.measured("nbgrader autograde", graded, lambda: _autograde(room, chosen), "-autograde")
        to = [word for user in chosen for word in ("--to", user)]
        grade = room.measured("grade", graded, lambda: _done(room.cli("grade", "ps1", *to), graded), "-coursework-")
        back = room.measured("return", graded, lambda: _done(room.cli("return", "ps1", *to), graded), "-coursework-")
    return _record(engine, release, collect, alone, grade, back)


def _record(engine: Engine, *steps: Measured) -> Record:
    cores = os.cpu_count() or 1
    release, collect, alone, grade, back = steps
    figures = _homes("Release", release), _homes("Collect", collect), _grading(grade, alone, cores), _returning(back)
    busiest = max(step.busy_before for step in steps)
    return Record(
        name="coursework",
        figures=tuple(chain.from_iterable(figures)),
        rows=[asdict(step) for step in steps],
        said=f"An assignment of one notebook and a file: released to {release.people} people who had no home before, "
        f"collected from all, {grade.people} submissions graded. No server ran. Before a step up to {busiest:.1f} of "
        f"the machine's {cores} cores were busy with other work.",
        machine=machine.facts(engine),
        beside="`nbgrader autograde` in one container",
    )


def _homes(title: str, step: Measured) -> tuple[Figure, ...]:
    people = step.people
    return (
        Figure(f"{title}: all {people} homes", (step.seconds,), unit="s", goal=at_most(_LONGEST)),
        Figure("  CPU of the machine for one home", (step.machine_cpu / people,), unit="s"),
        Figure("  of which its helper container", (step.containers_cpu / people,), unit="s"),
    )


def _grading(grade: Measured, alone: Measured, cores: int) -> tuple[Figure, ...]:
    def line(title: str, unit: str, value: Callable[[Measured], float], goal: Goal | None = None) -> Figure:
        return Figure(title, (value(grade),), (value(alone),), unit, goal)

    full = at_least(_FULL * cores) if grade.busy_before <= _OTHERS else None
    return (
        line(f"Grade: {grade.people} submissions", "s", lambda step: step.seconds),
        line("  cores busy meanwhile", "", lambda step: step.machine_cpu / step.seconds, full),
        line("  of which by the containers", "", lambda step: step.containers_cpu / step.seconds),
        line("  CPU of the containers for one submission", "s", lambda step: step.containers_cpu / step.people),
        line("  CPU of the machine for one submission", "s", lambda step: step.machine_cpu / step.people),
    )


def _returning(step: Measured) -> tuple[Figure, ...]:
    return (
        Figure(f"Return: {step.people} people, with their feedback", (step.seconds,), unit="s"),
        Figure("  cores busy meanwhile", (step.machine_cpu / step.seconds,)),
        Figure("  CPU of the machine for one person", (step.machine_cpu / step.people,), unit="s"),
    )


@contextmanager
def _up(engine: Engine, people: int) -> Iterator[Classroom]:
    """The course with a roster of so many and one more, who is the first that anything is handed out to."""
    name = prefix()
    users = tuple(f"s{number:03}" for number in range(1, people + 1))
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as made:
        folder = Path(made)
        text = _FILE.format(name=name, url=f"http://127.0.0.1:{free_port()}", project=PROJECT)
        (folder / "firstbell.toml").write_text(text)
        rows = [f"{user},,,student,class" for user in users]
        (folder / "roster.csv").write_text(
            "\n".join(["username,name,email,role,section", "first,,,student,", *rows, ""])
        )
        task = folder / "assignments/ps1"
        task.mkdir(parents=True)
        (task / "ps1.ipynb").write_text(as_text(source()))
        (task / "data.txt").write_text("ours")
        engine.remove_all(name)
        try:
            subprocess.run([FIRSTBELL, "up", made, "--yes"], check=True)
            yield Classroom(engine, folder, users)
        finally:
            down = [FIRSTBELL, "down", made, "--delete-homes", "--yes", "--confirm", name]
            subprocess.run(down, check=False, capture_output=True)
            engine.remove_all(name)


def _first_release(room: Classroom) -> None:
    """Builds nbgrader's image, if it is not there, and makes the student version: once for a course."""
    _done(room.cli("release", "ps1", "--to", "first"), 1)


def _done(said: Mapping[str, Any], people: int) -> None:
    progress = said["progress"]
    if progress["states"].get("done", 0) != people:
        raise RuntimeError(f"not done for {people}: {progress['states']}, {progress['tasks'][:3]}")


def _solve(room: Classroom, users: Sequence[str]) -> None:
    """Write a student's answers into their homes."""
    hub = names.container(prefix(), Role.HUB)
    path = "/srv/firstbell/coursework/release/ps1/ps1.ipynb"
    released = json.loads(_docker("exec", hub, "cat", path))
    for cell in released["cells"]:
        cell["source"] = "".join(cell["source"])
    text = as_text(answered(released, "def square(x):\n    return x * x"))
    homes = [f"{names.home(prefix(), user)}:/h/{user}" for user in users]
    mounts = [word for home in homes for word in ("-v", home)]
    script = "cat > /tmp/a && for home in /h/*; do cat /tmp/a > $home/assignments/ps1/ps1.ipynb; done"
    _docker("run", "-i", "--rm", "--network=none", "--user=0", *_label(), *mounts, "--entrypoint", "sh", _image(room),
            "-c", script, stdin=text)  # fmt: skip


def _autograde(room: Classroom, users: Sequence[str]) -> None:
    """Nbgrader's own command on a copy of the course's folder, as somebody would do it by hand."""
    volume = f"{names.volume(prefix(), Role.COURSEWORK)}:/w:ro"
    script = _AUTOGRADE.format(users=" ".join(users), path="/opt/firstbell/nbgrader/bin")
    name = f"firstbell-{prefix()}-autograde"
    said = _docker("run", "--rm", "--network=none", "--user=0", "--name", name, *_label(), "-v", volume,
                   "--entrypoint", "sh", _grader(room), "-c", script)  # fmt: skip
    if int(said.split()[-1]) != len(users):
        raise RuntimeError(f"nbgrader has graded {said} of {len(users)}")


def _label() -> tuple[str, str]:
    return "--label", f"firstbell.course={prefix()}"


def _image(room: Classroom) -> str:
    return room.engine.image_with(firstbell_course=prefix(), firstbell_role="image")


def _grader(room: Classroom) -> str:
    return room.engine.image_with(firstbell_role="grader-image")


def _docker(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["docker", *words], input=stdin, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _busy() -> float:
    """Cores busy in some seconds in which we do nothing."""
    before, start = machine.cpu(), time.monotonic()
    wait_until(lambda: time.monotonic() - start >= _LOOK, "a look at the machine", pause=0.2)
    return (machine.cpu() - before) / (time.monotonic() - start)
