"""A locked folder builds the same again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.plan.lock import pinned
from firstbell.work.build import build
from tests.stories.images.conftest import NAME, MakeCourse, built, make_wheel, versions
from tests.support.course import FIRSTBELL


def lock(folder: Path, *options: str) -> list[dict[str, object]]:
    """Run `firstbell lock --json`."""
    words = [str(FIRSTBELL), "lock", str(folder), "--json", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


async def test_a_locked_folder_builds_the_same_again(engine: Engine, course: MakeCourse, project: Path) -> None:
    """Versions once locked are built, twice and without any cache alike, though newer ones are allowed and there;
    paths of the folder are locked with the rest; the same input gives the same bytes."""
    make_wheel(project / "wheels", "1.0")
    (project / "apt.txt").write_text("tree\n")
    (project / "requirements.txt").write_text("six==1.15.0\nwheels/lesson-1.0-py3-none-any.whl\n")
    lock(project)
    (project / "requirements.txt").write_text("six>=1.15\nwheels/lesson-1.0-py3-none-any.whl\n")
    told = lock(project)
    assert [(one["file"], one["state"], one["changes"]) for one in told] == [
        ("requirements.lock", "stale", []),
        ("apt.lock", "fresh", []),
    ]
    written = (project / "requirements.lock").read_bytes()
    assert "tree=" in (project / "apt.lock").read_text()
    spec = await built(engine, course())
    first = await versions(engine, spec.tag)
    other = replace(spec, tag=f"firstbell/{NAME}:elsewhere", no_cache=True)
    await build(engine, other)
    assert await versions(engine, other.tag) == first
    assert first["six"] == "1.15.0" and first["lesson"] == "1.0"
    wanted = pinned(written.decode())
    assert {name: version for name, version in first.items() if wanted.get(name, version) != version} == {}
    (upgraded, _) = lock(project, "--upgrade")
    assert [change["package"] for change in upgraded["changes"]] == ["six"]  # type: ignore[attr-defined]
    newest = (project / "requirements.lock").read_bytes()
    lock(project, "--upgrade")
    assert (project / "requirements.lock").read_bytes() == newest


def test_a_killed_command_leaves_the_old_lock(project: Path) -> None:
    """Killed while versions are sought, the folder is as it was, and the next command does it all."""
    (project / "requirements.txt").write_text("tomli-w\n")
    lock(project)
    before = {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()}
    with subprocess.Popen(
        [FIRSTBELL, "lock", project, "--upgrade"], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as command:
        assert command.stderr is not None
        for line in command.stderr:
            if "write requirements.lock" in line:
                break
        command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL
    assert {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()} == before
    (project / "requirements.txt").write_text("tomli-w\nsix\n")
    assert [one["state"] for one in lock(project)] == ["stale"]
