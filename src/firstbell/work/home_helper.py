"""Containers that see homes and nothing else of anybody's; without network, with no right but what a task needs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, frozen
from firstbell.model.names import Role
from firstbell.model.observed import ImageState, Observed, Phase, RunResult

_SCRIPT = "/opt/firstbell/home_inside.py"
PYTHON = ("python3", "-I", _SCRIPT)
WAITS = ("python3", "-I", "-c", "import time; time.sleep(86400)")
_NOBODY = "65534:65534"


def helper(
    observed: Observed,
    user_name: str,
    mounts: tuple[Mount, ...],
    command: tuple[str, ...],
    *,
    user: str = "0:0",
    rights: tuple[str, ...] = (),
    files: tuple[File, ...] = (),
) -> ContainerSpec:
    """A container of the observed course, with `home_inside.py` in it. Raises FirstbellError where no image serves."""
    script = File(_SCRIPT, Path(__file__).with_name("home_inside.py").read_bytes())
    return ContainerSpec(
        name=f"{names.container(observed.course, Role.HELPER, user_name)}-{uuid.uuid4().hex[:6]}",
        image=helper_image(observed),
        command=command,
        labels=frozen(names.labels(observed.course, Role.HELPER, user_name)),
        user=user,
        mounts=mounts,
        files=(script, *files),
        limits=Limits(memory=512 * MIB, pids=64),
        capabilities=rights,
        stop_grace=1,
    )


def waiting_helper(observed: Observed, user_name: str, mounts: tuple[Mount, ...]) -> ContainerSpec:
    """One in which nothing happens: the engine itself reads what is mounted there."""
    return helper(observed, user_name, mounts, WAITS, user=_NOBODY)


def helper_image(observed: Observed) -> str:
    """An image with python3: what the hub or a run runs, else the newest of ours."""
    hub = observed.container(names.container(observed.course, Role.HUB))
    if hub.phase is not Phase.MISSING:
        return hub.image
    ours = [image for image in observed.images if _has_python(image, observed.course)]
    runs = observed.of_role(Role.RUN)
    if ours:
        return max(ours, key=lambda image: image.created_at).ref
    if runs:
        return runs[0].image
    raise FirstbellError(
        "no image is here in which the homes could be read",
        where=observed.course if observed.course != names.RUNS else "",
        next_step="Run `firstbell run` first." if observed.course == names.RUNS else "Run `firstbell up` first.",
    )


def _has_python(image: ImageState, course: str) -> bool:
    role = image.labels.get(names.LABEL_ROLE)
    if role == Role.HUB_IMAGE or image.labels.get(names.LABEL_COURSE) == course:
        return True
    return course == names.RUNS and role == Role.COURSE_IMAGE


@contextlib.asynccontextmanager
async def running(engine: Engine, spec: ContainerSpec, grace: int = 1) -> AsyncIterator[str]:
    """The name of a helper that runs for as long as the block does, and `grace` seconds more."""
    await engine.start(spec)
    try:
        yield spec.name
    finally:
        await asyncio.shield(engine.stop(spec.name, grace))


def answer(result: RunResult, what: str) -> Any:
    """What a verb of `home_inside.py` printed. Raises FirstbellError if it failed."""
    if result.exit_code != 0:
        raise FirstbellError(f"{what} failed", next_step="Is the disk full? `df -h` shows it.", evidence=result.lines)
    return json.loads(result.stdout.splitlines()[-1])
