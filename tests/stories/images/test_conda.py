"""A conda environment in an image, from a channel on loopback that takes the place of the usual ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from firstbell.errors import BuildFailed
from firstbell.model.image import BuildSpec
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.lock import conda_versions, pinned
from firstbell.work.build import build, check_image, plan_course_image
from firstbell.work.lock_versions import write_locks
from firstbell.work.project import open_project
from firstbell.work.show import Silent
from tests.stories.images.conftest import MakeCourse, built, make_wheel, run, versions
from tests.support.channel import ChannelServer, Package, serving, write_channel
from tests.support.conda_forge import conda_forge

LESSON = Package(
    "lesson",
    "1.0",
    files={
        "share/lesson.txt": b"one\n",
        "etc/conda/activate.d/lesson.sh": b'export LESSON_DATA="$CONDA_PREFIX/share"\n',
    },
)
IMPOSSIBLE = Package("impossible", "1.0", ("jupyterlab <4",))


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """A channel "conda-forge" with Python, Jupyter and two packages of ours."""
    root = tmp_path_factory.mktemp("channels")
    conda_forge(root / "conda-forge", LESSON, IMPOSSIBLE)
    with serving(root) as server:
        yield server


async def test_a_conda_environment_is_served(
    engine: Engine, course: MakeCourse, project: Path, channels: ChannelServer
) -> None:
    """Packages of the channel, of the pip section, variables and activation are there; python3 is the environment's and
    runs Jupyter; all came from the mirror."""
    make_wheel(project / "wheels", "3.0")
    (project / "environment.yml").write_text(
        "name: course  # of no meaning here\n"
        "channels: [conda-forge, nodefaults]\n"
        "dependencies:\n  - lesson=1\n  - pip\n  - pip:\n    - ./wheels/lesson-3.0-py3-none-any.whl\n"
        'variables:\n  GREETING: say "$HOME"\n'
    )
    spec = await built(engine, course(conda=channels.url))
    await check_image(engine, spec.tag, "test-images")
    assert "/conda-forge/noarch/repodata.json" in channels.paths
    program = (
        "import jupyterlab, lesson, os, pathlib, sys; "
        "print(sys.executable, lesson.VERSION, os.environ['GREETING'], os.environ['CONDA_PREFIX'], "
        "pathlib.Path(sys.prefix, 'share/lesson.txt').read_text())"
    )
    seen = (await run(engine, spec.tag, "python3", "-c", program)).stdout.decode()
    assert seen == '/opt/conda/bin/python3 3.0 say "$HOME" /opt/conda one\n\n'
    (project / "activated.ipynb").write_text(
        (project / "start.ipynb").read_text().replace("print(6 * 7)", "import os; print(os.environ['LESSON_DATA'])")
    )
    again = await built(engine, course(conda=channels.url))
    notebook = f"{PROJECT_DIR}/activated.ipynb"
    result = await run(engine, again.tag, "jupyter", "nbconvert", "--to", "markdown", "--execute", "--stdout", notebook)
    assert "/opt/conda/share" in result.stdout.decode(), result.lines
    terminal = await run(engine, again.tag, "sh", "-lc", "command -v python3; echo $LESSON_DATA")
    assert terminal.stdout == b"/opt/conda/bin/python3\n/opt/conda/share\n"


async def test_a_contradiction_is_explained(
    engine: Engine, course: MakeCourse, project: Path, channels: ChannelServer
) -> None:
    """A package that cannot be beside our Jupyter fails the build with the solver's words and the file to edit."""
    (project / "environment.yml").write_text("dependencies: [impossible]\n")
    with pytest.raises(BuildFailed) as failed:
        await built(engine, course(conda=channels.url))
    evidence = "\n".join(failed.value.evidence)
    assert "impossible 1.0 would require" in evidence and "jupyterlab <4" in evidence
    assert "environment.yml" in failed.value.next_step


async def test_an_unknown_package_and_channel_are_named(
    engine: Engine, course: MakeCourse, project: Path, channels: ChannelServer
) -> None:
    """What no channel has is named with the channels that were asked; so is a channel that does not exist."""
    (project / "environment.yml").write_text("dependencies: [lessson=2]\n")
    with pytest.raises(BuildFailed) as failed:
        await built(engine, course(conda=channels.url))
    assert "No candidates were found for lessson" in "\n".join(failed.value.evidence)
    assert "environment.yml" in failed.value.next_step
    (project / "environment.yml").write_text("channels: [no-such-channel]\ndependencies: [lesson]\n")
    with pytest.raises(BuildFailed) as failed:
        await built(engine, course(conda=channels.url))
    assert "no-such-channel" in "\n".join(failed.value.evidence)
    assert "environment.yml" in failed.value.next_step


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
    await asyncio.to_thread(write_channel, channels.root / "conda-forge", [Package("lesson", "2.0")])
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
