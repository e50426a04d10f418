"""A locked folder builds the same again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from firstbell.model.image import BuildSpec
from firstbell.plan.lock import conda_versions, pinned
from firstbell.work.build import build, plan_course_image
from firstbell.work.lock_versions import write_locks
from firstbell.work.project import open_project
from firstbell.work.show import Silent
from tests.stories.images.conftest import NAME, MakeCourse, built, make_wheel, run
from tests.support.channel import ChannelServer, Package, conda_forge, serving, write_channel
from tests.support.course import FIRSTBELL

LESSON = Package("lesson", "1.0")


def lock(folder: Path, *options: str) -> list[dict[str, object]]:
    """Run `firstbell lock --json`."""
    words = [FIRSTBELL, "lock", folder, "--json", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


async def versions(engine: Engine, image: str) -> dict[str, str]:
    """What pip sees in an image."""
    listed = await run(engine, image, "python3", "-m", "pip", "list", "--format=json")
    return {package["name"].lower().replace("_", "-"): package["version"] for package in json.loads(listed.stdout)}


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
    (project / "requirements.lock").unlink()
    (project / "requirements.txt").write_text("six==1.15.0\nwheels/lesson-1.0-py3-none-any.whl\n")
    lock(project)
    (project / "requirements.txt").write_text("six>=1.15\nwheels/lesson-1.0-py3-none-any.whl\n")
    lock(project)
    assert (project / "requirements.lock").read_bytes() == written
    (upgraded, _) = lock(project, "--upgrade")
    assert [change["package"] for change in upgraded["changes"]] == ["six"]  # type: ignore[attr-defined]


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


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """A channel with Python, Jupyter and a package of ours."""
    root = tmp_path_factory.mktemp("channels")
    conda_forge(root / "conda-forge", LESSON)
    with serving(root) as server:
        yield server


async def test_a_locked_environment_builds_the_same_again(
    engine: Engine, course: MakeCourse, project: Path, channels: ChannelServer
) -> None:
    """A conda environment is installed as locked, pip section and all, though the channel has a newer package by now;
    the lock names no address, and another mirror serves as well."""
    (project / "environment.yml").write_text("dependencies: [lesson, pip, pip: [tomli-w]]\n")
    settings = course(conda=channels.url)
    opened = open_project(project, os.environ)
    located = replace(opened, settings=replace(opened.settings, network=settings.network))
    await write_locks(engine, located, Silent())
    text = (project / "environment.lock").read_text()
    assert "://" not in text and channels.url.removeprefix("http://") not in text
    write_channel(channels.root / "conda-forge", [Package("lesson", "2.0")])
    with serving(channels.root) as mirror:
        spec = plan_course_image(course(conda=mirror.url))
        assert isinstance(spec, BuildSpec)
        await build(engine, spec)
        assert not [path for path in mirror.paths if "repodata" in path]
    program = (
        "import json, pathlib, sys; meta = pathlib.Path(sys.prefix, 'conda-meta').glob('*.json'); "
        "print(*(json.loads(path.read_text())['fn'] for path in meta))"
    )
    there = (await run(engine, spec.tag, "python3", "-c", program)).stdout.decode().split()
    assert "lesson-1.0-0.tar.bz2" in there
    assert {name.rsplit("-", 2)[0] for name in there} == set(conda_versions(text))
    assert (await versions(engine, spec.tag))["tomli-w"] == pinned(text)["tomli-w"]
