"""`firstbell build`, as somebody types it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from firstbell.engine.waiting import until
from tests.stories.images.building import FOLDER, JUPYTER, NAME, Build, build, folder, images, own
from tests.support.course import FIRSTBELL, docker

__all__ = ["build", "folder"]


def test_a_folder_becomes_an_image(build: Build, folder: Path) -> None:
    """The image is shown layer by layer with size and time, has the name asked for, and is not built a second time."""
    first = build("--tag", NAME)
    assert first.returncode == 0, first.stderr
    assert "COPY project/" in first.stdout
    assert "RUN uv-pip" in first.stdout
    assert NAME in first.stdout
    assert f"firstbell run {NAME}" in first.stderr
    again = json.loads(build("--json").stdout)
    assert again["built"] is False
    assert again["id"] == docker("image", "inspect", "--format", "{{.Id}}", NAME).strip()
    assert sum(layer["size"] for layer in again["layers"]) == pytest.approx(again["bytes"], rel=0.01)


def test_an_edited_notebook_is_one_step(build: Build, folder: Path) -> None:
    """After an edit every step but the last is kept, and told so."""
    assert build().returncode == 0
    # Text that no earlier run left in the engine's build cache, which outlives its images.
    (folder / "start.ipynb").write_text(json.dumps({"cells": [], "metadata": {"edited": uuid4().hex}}))
    layers = json.loads(build("--json").stdout)["layers"]
    steps = {
        layer["instruction"].split()[0] + layer["instruction"][-30:]: layer
        for layer in layers
        if layer["seconds"] is not None
    }
    anew = [layer["instruction"] for layer in steps.values() if not layer["is_cached"]]
    assert len(anew) == 1
    assert anew[0].startswith("COPY project/")


def test_only_told(build: Build, folder: Path) -> None:
    """--dry-run tells the tag, the steps and the largest files, and makes nothing."""
    (folder / "data.csv").write_text("x" * 5000)
    shown = json.loads(build("--dry-run", "--json").stdout)
    assert shown["up_to_date"] is False
    assert shown["largest"][0] == {"path": "data.csv", "bytes": 5000}
    assert any(step.startswith(f"build firstbell/{FOLDER}:") for step in shown["steps"])
    assert docker("images", "-q", shown["tag"]) == ""


def test_without_cache_every_step_is_done_again(build: Build, folder: Path) -> None:
    """--no-cache builds what is there already, and no step is taken from what was kept."""
    own(folder, JUPYTER, "RUN echo once")
    first = json.loads(build("--json").stdout)
    second = json.loads(build("--json", "--no-cache").stdout)
    assert first["tag"] == second["tag"]
    assert [layer["is_cached"] for layer in second["layers"] if layer["instruction"] == "RUN echo once"] == [False]


def test_features_of_buildkit_in_an_own_dockerfile(build: Build, folder: Path) -> None:
    """A person's own Dockerfile may mount what it only reads, and use several stages; its base need be nowhere else."""
    own(
        folder,
        "RUN echo made > /made",
        "FROM debian:trixie-slim",
        JUPYTER,
        "RUN --mount=type=bind,source=start.ipynb,target=/seen cat /seen",
        "COPY --from=first /made /made",
    )
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("slim\n", "slim AS first\n", 1))
    built = build("--json")
    assert built.returncode == 0, built.stderr
    instructions = [layer["instruction"] for layer in json.loads(built.stdout)["layers"]]
    assert any("/made /made" in instruction for instruction in instructions)


def test_killed_and_run_again(build: Build, folder: Path) -> None:
    """A build that is killed in the middle leaves no container, and the same command goes through afterwards."""
    own(folder, JUPYTER, f"RUN echo waiting; for i in 1 2 3 4 5 6; do echo {os.getpid()}; sleep 0.5; done")
    process = _begun(folder)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = build("--json")
    assert again.returncode == 0, again.stderr
    assert images() == [json.loads(again.stdout)["tag"]]
    assert docker("ps", "-aq", "--filter", f"ancestor={images()[0]}") == ""


async def test_ctrl_c_ends_the_build(folder: Path) -> None:
    """Interrupted, the command ends with its code, says that it can be run again, and the step ends too."""
    word = f"firstbell-interrupted-{os.getpid()}"
    own(folder, f"RUN echo waiting; sleep 600; echo {word}")
    process = _begun(folder)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Run the command again" in said

    async def has_ended() -> bool:
        search = await asyncio.create_subprocess_exec("pgrep", "-f", f"^/bin/sh -c echo waiting; .*{word}")
        return await search.wait() != 0

    await until(has_ended, deadline=60)


def _begun(folder: Path) -> subprocess.Popen[str]:
    """The command, its step that waits begun."""
    process = subprocess.Popen(
        [FIRSTBELL, "build", folder],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    assert any("RUN echo waiting" in line for line in process.stderr)
    return process
