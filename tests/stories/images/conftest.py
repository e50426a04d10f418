"""What the stories of images share: the real engine, folders with little in them, and their tags' removal."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.base import Engine
from firstbell.engine.connect import connect
from firstbell.model.container import ContainerSpec, File, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.observed import RunResult
from firstbell.work.build import build, get_base, plan_course_image
from tests.support.course import docker

NAME = "test-images"
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "a",
            "metadata": {},
            "outputs": [],
            "source": "print(6 * 7)",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}

MakeCourse = Callable[..., Course]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one notebook, readable by its owner alone."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "start.ipynb").write_text(json.dumps(NOTEBOOK))
    (folder / "start.ipynb").chmod(0o600)
    return folder


@pytest.fixture
def course(project: Path) -> MakeCourse:
    """Makes the course of that folder, with this machine's own way out of the network."""

    def make(**network: Any) -> Course:
        bundle = os.environ.get("SSL_CERT_FILE")
        return Course.model_validate(
            {
                "name": NAME,
                "server": {"project": project},
                "network": {"ca_bundle": Path(bundle) if bundle else None, **network},
            }
        )

    return make


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """The Docker Engine, with the base image in it."""
    engine = await connect("docker")
    server: Any = {"image": "x"}
    base = Course(name=NAME, server=server).server.base
    await get_base(engine, base, Course(name=NAME, server=server).network)
    yield engine
    await engine.close()


@pytest.fixture(autouse=True)
def _remove_tags() -> Iterator[None]:
    """Untag what a story built; the layers that stories share stay in the engine's cache until the last is gone."""
    yield
    for tag in docker("images", "--quiet", "--filter", f"label=firstbell.course={NAME}").split():
        docker("rmi", "--no-prune", "--force", tag, check=False)


async def built(engine: Engine, course: Course) -> BuildSpec:
    """The course's image, built; what it was built from."""
    spec = plan_course_image(course)
    assert spec is not None
    await build(engine, spec)
    return spec


async def run(engine: Engine, image: str, *command: str, home: str = "") -> RunResult:
    """Run a command in an image as a course's server would: as uid 1000, without any network."""
    mounts = (Mount(MountKind.VOLUME, home, "/home/jovyan"),) if home else ()
    spec = ContainerSpec(
        name=f"firstbell-{NAME}-run",
        image=image,
        command=command,
        labels=frozen({"firstbell.course": NAME}),
        env=frozen({"HOME": "/home/jovyan"}),
        mounts=mounts,
        files=(File("/home/jovyan", None, 0o700, 1000, 1000),) if home else (),
    )
    return await engine.run(spec, deadline=120)


async def versions(engine: Engine, image: str) -> dict[str, str]:
    """What pip sees in an image: versions by lower-case name."""
    listed = await run(engine, image, "python3", "-m", "pip", "list", "--format=json")
    return {package["name"].lower().replace("_", "-"): package["version"] for package in json.loads(listed.stdout)}


def make_wheel(folder: Path, version: str) -> Path:
    """A wheel of a module `lesson` that knows its version."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"lesson-{version}-py3-none-any.whl"
    info = f"lesson-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lesson.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: lesson\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel
