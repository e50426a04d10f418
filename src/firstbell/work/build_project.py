"""`firstbell build`: a folder's image, made or found, checked, named, and told layer by layer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from firstbell.engine.base import Engine, Report, ignore
from firstbell.model.image import Layer, Progress
from firstbell.model.observed import ImageState
from firstbell.model.steps import BuildImage, CheckImage, PullImage, Step, TagImage
from firstbell.plan.image import Entry, project_build
from firstbell.plan.layers import built_layers
from firstbell.plan.project_image import BuildInputs, bases, plan_build
from firstbell.work import build
from firstbell.work.base_image import debian_like
from firstbell.work.folder import read_folder, warnings
from firstbell.work.project import Project
from firstbell.work.show import Show, shown

_LARGEST = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for, beside the folder."""

    tag: str = ""
    """Another name for the image."""
    no_cache: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be done, and what of the folder weighs most."""

    tag: str
    steps: tuple[Step, ...]
    is_there: bool
    files: int
    size: int
    """Bytes of the folder's files that belong to the build."""
    largest: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """The image, and what it is made of."""

    image: ImageState
    layers: tuple[Layer, ...]
    seconds: float
    is_new: bool
    """It was built just now, rather than found."""


async def plan_project(engine: Engine, project: Project, wish: Wish, report: Report = ignore) -> Planned:
    """Read the folder, look at the engine, and say what there is to do; warns of files that are too large."""
    facts = await asyncio.to_thread(read_folder, project.directory)
    for warning in warnings(facts, project.settings):
        report(warning)
    spec = replace(project_build(facts, project.settings), no_cache=wish.no_cache)
    there = await engine.image(spec.tag)
    missing = [ref for ref in bases(spec.dockerfile) if _is_ours_to_get(ref, project) and not await engine.image(ref)]
    by_size = sorted(facts.entries, key=lambda entry: entry.size, reverse=True)
    return Planned(
        tag=spec.tag,
        steps=plan_build(BuildInputs(spec, there is not None, tuple(missing), wish.tag)),
        is_there=there is not None,
        files=sum(bool(entry.digest) for entry in facts.entries),
        size=sum(entry.size for entry in facts.entries),
        largest=tuple(entry for entry in by_size[:_LARGEST] if entry.size),
    )


def _is_ours_to_get(ref: str, project: Project) -> bool:
    """Whether a base is had as `up` has it, from a mirror or made; any other of a person's own is the builder's."""
    return ref == project.settings.base or debian_like(ref) is not None


async def build_project(engine: Engine, project: Project, wish: Wish, show: Show) -> Built:
    """The folder's image. Raises CourseFileError, BuildFailed with what helps, EngineUnavailable."""
    began = time.monotonic()
    planned = await plan_project(engine, project, wish, show.on_progress)
    told: list[Progress] = []

    def report(line: Progress) -> None:
        if line.seconds is not None:
            told.append(line)
        show.on_progress(line)

    is_new = any(isinstance(step, BuildImage) for step in planned.steps)
    for step in shown(planned.steps, show):
        await act(engine, project, step, report)
    history = await engine.history(planned.tag)
    image = await engine.image(planned.tag)
    assert image is not None  # checked a moment ago
    return Built(image, built_layers(history, told), time.monotonic() - began, is_new)


async def act(engine: Engine, project: Project, step: Step, report: Report) -> None:
    """Carry out a step of `plan_project`."""
    match step:
        case PullImage(ref=ref):
            await build.get_base(engine, ref, project.settings.network, report)
        case BuildImage(spec=spec):
            await build.build(engine, spec, report)
        case CheckImage(ref=ref):
            await build.check_image(engine, ref, project.settings.name)
        case TagImage(ref=ref, new=new):
            await engine.tag(ref, new)
        case _:
            raise AssertionError(step)
