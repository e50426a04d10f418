"""Has the page files of a course's image laid out for the edge, and says whether they are."""

from __future__ import annotations

import asyncio
import json
import tarfile
from functools import partial

from firstbell.engine import docker_tar
from firstbell.engine.base import Engine, Report
from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.runtime import STATIC_DIR
from firstbell.model.steps import LayOutFiles
from firstbell.plan.static_files import CURRENT_FILE, incoming_volume, layout_helper, taking_helper

_DEADLINE = 300.0
"""Seconds; it takes about one."""


async def are_laid_out(engine: Engine, course: str, image: str) -> bool:
    """Whether the edge has those of exactly this image; asks by way of the hub's container, which has the volume."""
    there = await engine.image(image)
    if there is None:
        return False
    try:
        get = partial(engine.get, names.container(course, Role.HUB))
        current = await docker_tar.read_file(get, f"{STATIC_DIR}/{CURRENT_FILE}")
        return bool(json.loads(current or b"").get("image") == there.id)
    except (OSError, ValueError, AttributeError, tarfile.TarError):
        return False


async def lay_out(engine: Engine, course: Course, step: LayOutFiles, report: Report) -> None:
    """Do it. What goes wrong is reported and no more: pages then come from each person's own server, only slower."""
    there = await engine.image(step.image)
    incoming = incoming_volume(course)
    try:
        await engine.ensure_volume(incoming)
        for spec in (
            layout_helper(course, step.image),
            taking_helper(course, step.hub_image, there.id if there else ""),
        ):
            result = await engine.run(spec, deadline=_DEADLINE)
            if result.exit_code:
                report(Progress(_without(result.lines[-1] if result.lines else f"exit code {result.exit_code}")))
                return
        for part, why in _left_out(result.stdout).items():
            report(Progress(f"the image's {part} files stay with each person's server: {why}"))
    except (StartFailed, TimeoutError) as error:
        report(Progress(_without(str(error))))
    finally:
        await asyncio.shield(engine.remove_volume(incoming.name))


def _without(why: str) -> str:
    return (
        f"the edge does not get the page files ({why}); people's own servers send them, which works, only slower. "
        "Is the disk full? `df -h` shows it; `firstbell up` tries again."
    )


def _left_out(stdout: bytes) -> dict[str, str]:
    try:
        said = json.loads((stdout.splitlines() or [b"{}"])[-1])
        return {str(part): str(why) for part, why in said.get("without", {}).items()}
    except (ValueError, AttributeError):
        return {}
