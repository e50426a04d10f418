"""The lab with every language, built by the command and tried notebook by notebook. An hour on two cores, once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firstbell.config.reader import read_course
from firstbell.engine.base import Engine
from firstbell.model.container import File, Limits
from firstbell.work.kernels import all_kernels, execute
from tests.support.course import FIRSTBELL, docker

LAB = Path(__file__).parents[2] / "examples" / "languages"
NOTEBOOKS = sorted((LAB / "project").glob("*.ipynb"))
REQUIRED = {
    *("python", "go", "typescript", "javascript", "cpp", "java", "scala", "racket", "r", "rust", "octave", "bash"),
}

pytestmark = pytest.mark.timeout(2 * 3600)


@pytest.fixture(scope="session")
def built() -> dict[str, Any]:
    """What `firstbell build` says of the lab: every kernel has executed its smoke notebook, or it would have failed.

    The image stays, so that a second run is quick; `docker rmi` with its name removes it.
    """
    command = [str(FIRSTBELL), "build", str(LAB), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_lab_has_them_all(built: dict[str, Any]) -> None:
    """The lab's course file names every language that is said to be verified, and its image has their kernelspecs."""
    course = read_course(LAB, {}, complete=False)
    assert set(course.server.kernels) >= REQUIRED
    assert set(course.server.kernels) == {kernel.name for kernel in all_kernels() if kernel.verified}
    listed = docker("run", "--rm", "--network=none", built["tag"], "jupyter", "kernelspec", "list", "--json")
    specs = {kernel.spec for kernel in all_kernels() if kernel.verified}
    assert specs <= set(json.loads(listed)["kernelspecs"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_example_notebooks(engine: Engine, built: dict[str, Any], path: Path) -> None:
    """Each language's example runs to its end in the memory of a class's server, and shows what it says it shows."""
    spec = json.loads(path.read_text())["metadata"]["kernelspec"]["name"]
    there = File("/opt/example.ipynb", path.read_bytes())
    said = await execute(engine, built["tag"], there.path, spec, limits=Limits(), files=(there,))
    assert said["reason"] == "", said
    assert said["cells"] >= 3
