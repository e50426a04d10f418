"""What the stories of coursework share: nbgrader in the versions of the lock, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework.grading_containers import OUTPUT_BYTES
from firstbell.coursework.nbgrader import execute
from tests.support.assignment import answered, as_text, source

DUE = "2026-11-20T12:00:00+00:00"
GOOD = "def square(x):\n    return x * x"
HALF = "def square(x):\n    return 4"
BODIES = {"ann": GOOD, "bob": HALF, "eve": "raise RuntimeError"}
POINTS = {"ann": 4, "bob": 1, "eve": 1}
SOURCES = Path(__file__).parents[3] / "src"


@dataclass(frozen=True)
class Classroom:
    """A course's folder, and the programs that work on it, run on this machine."""

    root: Path
    programs: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of whoever runs the tests."""
        home = self.root.parent / "home"
        return {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(home)}

    def run(self, *words: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the environment, in the course's folder."""
        done = subprocess.run(
            words,
            cwd=self.root,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            env=self.environment,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def do(self, verb: str, **job: Any) -> dict[str, Any]:
        """One of the trusted programs, as its container runs it."""
        line = json.dumps({"root": str(self.root), "course": "demo", **job}) + "\n"
        program = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); sys.argv = ['', {verb!r}]\n"
        program += "from firstbell.coursework.nbgrader.program import main; main()"
        said: dict[str, Any] = json.loads(self.run("python", "-I", "-c", program, stdin=line).stdout)
        return said

    def execute(self, prepared: dict[str, Any]) -> str:
        """The program that is hostile in its container; its last line."""
        job = {**prepared, "folder": str(self.root.parent / "work"), "seconds": 200, "output_bytes": OUTPUT_BYTES}
        done = self.run("python", "-c", Path(execute.__file__).read_text(), stdin=json.dumps(job) + "\n")
        return done.stdout.strip().rpartition("\n")[2]

    def grade(self, user: str, **about: Any) -> dict[str, Any]:
        """All three, for one submission."""
        return self.do("record", **self.executed(user), **about)

    def executed(self, user: str) -> dict[str, Any]:
        """The first two, as the third is told of them."""
        prepared = self.do("prepare", assignment="ps1", user=user)
        assert "problems" not in prepared, prepared
        said, digests = self.execute(prepared), prepared["digests"]
        return {"assignment": "ps1", "user": user, "said": said, "ended": "", "digests": digests}

    def released(self) -> dict[str, Any]:
        """The student version."""
        made: dict[str, Any] = json.loads((self.root / "release/ps1/ps1.ipynb").read_text())
        for cell in made["cells"]:
            cell["source"] = "".join(cell["source"])
        return made

    def hand_in(self, user: str, made: dict[str, Any] | str, time: str = "2026-11-20 11:00:00 UTC") -> Path:
        """A submission where the hub puts it."""
        folder = self.root / "submitted" / user / "ps1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ps1.ipynb").write_text(made if isinstance(made, str) else as_text(made))
        (folder / "timestamp.txt").write_text(f"{time}\n")
        return folder


@pytest.fixture(scope="session")
def nbgrader_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with what grader.lock names."""
    venv = tmp_path_factory.mktemp("grader") / "venv"
    lock = files("firstbell.plan") / "recipe" / "grader.lock"
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True, timeout=300)
    words = ["pip", "install", "-q", "--python", str(venv / "bin/python"), "--require-hashes", "--no-deps"]
    subprocess.run([uv, *words, "-r", str(lock)], check=True, timeout=600)
    return venv / "bin"


@pytest.fixture(scope="session")
def released_course(tmp_path_factory: pytest.TempPathFactory, nbgrader_programs: Path) -> Path:
    """A course with one assignment that has been released."""
    made = Classroom(tmp_path_factory.mktemp("released") / "course", nbgrader_programs)
    (made.root / "source/ps1").mkdir(parents=True)
    (made.root.parent / "home").mkdir()
    (made.root / "source/ps1/ps1.ipynb").write_text(as_text(source()))
    (made.root / "source/ps1/data.txt").write_text("ours")
    said = made.do("student", assignment="ps1", due=DUE)
    assert said == {"notebooks": ["ps1"], "max_score": 6.0, "remarks": []}
    return made.root


@pytest.fixture(scope="session")
def graded_course(tmp_path_factory: pytest.TempPathFactory, nbgrader_programs: Path, released_course: Path) -> Path:
    """The same course with three submissions, graded by our three programs, as BODIES and POINTS say."""
    root = tmp_path_factory.mktemp("graded")
    made = _copy(released_course, root, nbgrader_programs)
    for user, body in BODIES.items():
        made.hand_in(user, answered(made.released(), body))
        assert made.grade(user)["score"] == POINTS[user]
    return made.root


@pytest.fixture
def open_class(tmp_path: Path, nbgrader_programs: Path, released_course: Path) -> Classroom:
    """A copy of the course in which nothing is graded."""
    return _copy(released_course, tmp_path, nbgrader_programs)


@pytest.fixture
def graded_class(tmp_path: Path, nbgrader_programs: Path, graded_course: Path) -> Classroom:
    """A copy of the course in which all is graded."""
    return _copy(graded_course, tmp_path, nbgrader_programs)


def _copy(course: Path, folder: Path, programs: Path) -> Classroom:
    shutil.copytree(course, folder / "course")
    (folder / "home").mkdir()
    return Classroom(folder / "course", programs)
