"""`push` and `pull`: an image, or what a folder becomes, to a registry and from it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import BuildFailed, CourseFileError
from firstbell.model.network import Network
from firstbell.model.observed import ImageState
from firstbell.model.registry import Reference
from firstbell.model.steps import PullImage, PushImage, Step, TagImage
from firstbell.work.build_project import Wish, act, plan_project
from firstbell.work.fetch import fetch, login_of
from firstbell.work.project import Project
from firstbell.work.show import Show, shown

Source = Project | str
"""What is pushed: a folder, or an image of this machine."""


@dataclass(frozen=True, slots=True)
class Shared:
    """An image that a registry has, and by which digest it knows it."""

    image: ImageState
    digest: str
    seconds: float


async def plan_push(engine: Engine, source: Source, to: Reference, report: Report = ignore) -> tuple[Step, ...]:
    """What `push` would do. Raises BuildFailed where an image that is not made here is not here either."""
    if to.digest:
        raise CourseFileError(
            "a digest is what a push results in, not what it is given",
            where=str(to),
            next_step=f"Give it a tag: firstbell push {to.name}:TAG",
        )
    if isinstance(source, Project):
        planned = await plan_project(engine, source, Wish(str(to)), report)
        return (*planned.steps, PushImage(str(to)))
    if await engine.image(source) is None:
        raise BuildFailed(
            "there is no such image on this machine",
            where=source,
            next_step="See `docker images`; or name the folder to build it from.",
        )
    name = () if source == str(to) else (TagImage(source, str(to)),)
    return (*name, PushImage(str(to)))


async def push(engine: Engine, source: Source, to: Reference, show: Show) -> Shared:
    """Have the image, name it, and send what the registry has not. Raises RegistryFailed, BuildFailed."""
    started = time.monotonic()
    login = await login_of(engine, to)
    steps = await plan_push(engine, source, to, show.on_progress)
    digest = ""
    for step in shown(steps, show):
        match step:
            case PushImage(ref=ref):
                digest = await engine.push(ref, show.on_progress, login)
            case TagImage(ref=ref, new=new):
                await engine.tag(ref, new)
            case _ if isinstance(source, Project):
                await act(engine, source, step, show.on_progress)
    return Shared(await _there(engine, str(to)), digest, time.monotonic() - started)


def pull_step(wanted: Reference) -> PullImage:
    """What `pull` does."""
    return PullImage(str(wanted))


async def pull(engine: Engine, wanted: Reference, network: Network, show: Show) -> Shared:
    """Have the image that the registry has now. Raises RegistryFailed."""
    started = time.monotonic()
    step = pull_step(wanted)
    show.on_plan((step,))
    show.on_step(step, 0)
    image = await fetch(engine, str(wanted), network, show.on_progress)
    show.on_done(step)
    return Shared(image, _digest(image, wanted), time.monotonic() - started)


def _digest(image: ImageState, wanted: Reference) -> str:
    """By which digest the registry knows it; one that came by way of a mirror is known by the mirror's."""
    known = dict(entry.split("@", 1) for entry in image.digests)
    return wanted.digest or known.get(wanted.name) or next(iter(known.values()), "")


async def _there(engine: Engine, ref: str) -> ImageState:
    found = await engine.image(ref)
    if found is None:
        raise BuildFailed("the image was removed meanwhile", where=ref, next_step="Run the command again.")
    return found
