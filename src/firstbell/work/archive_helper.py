"""The containers through which an archive is read."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from firstbell.engine.base import Engine
from firstbell.model import names
from firstbell.model.container import ContainerSpec, Mount, MountKind
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import COURSEWORK_DIR, SAVED_DIR
from firstbell.work import home_helper
from firstbell.work.home_helper import waiting_helper


def course_helper(course: Course, observed: Observed) -> ContainerSpec:
    """A container that sees the coursework and what was saved, read-only, and of both does nothing."""
    saved_mount = Mount(MountKind.VOLUME, names.volume(course.name, Role.SAVED), SAVED_DIR, read_only=True)
    coursework = Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), COURSEWORK_DIR, read_only=True)
    has_coursework = observed.volume(coursework.source) is not None
    return waiting_helper(observed, "", (saved_mount, *([coursework] if has_coursework else [])))


@contextlib.asynccontextmanager
async def running(engine: Engine, spec: ContainerSpec) -> AsyncIterator[str]:
    """A helper under a name of its own, so that what a killed command left is found by the next."""
    name = f"{spec.name.rpartition('-')[0]}-archive"
    await engine.stop(name, 0)
    async with home_helper.running(engine, replace(spec, name=name), grace=0):
        yield name
