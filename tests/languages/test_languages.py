"""The lab with every language, built by the command and tried notebook by notebook. An hour on two cores, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.config.reader import read_course
from firstbell.engine.base import Engine
from firstbell.model.container import File, Limits
from firstbell.work.kernels import all_kernels, execute
from tests.languages.conftest import LAB
from tests.support.course import docker

NOTEBOOKS = sorted((LAB / "project").glob("*.ipynb"))
REQUIRED = {
    *("python", "go", "typescript", "javascript", "cpp", "java", "scala", "racket", "r", "rust", "octave", "bash"),
}

pytestmark = pytest.mark.timeout(2 * 3600)


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
