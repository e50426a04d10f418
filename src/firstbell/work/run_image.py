"""The image of a run: a folder's, built if need be, or one that exists, fetched if need be; with sudo where wished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firstbell.config.reader import network_of
from firstbell.engine.base import Engine, Report
from firstbell.model.network import Network
from firstbell.model.registry import parse_reference
from firstbell.model.run import Wish
from firstbell.model.steps import BuildImage, EnsureNetwork, EnsureVolume, PullImage, Step
from firstbell.plan.image import project_build
from firstbell.plan.project_image import bases
from firstbell.plan.run import SUDOERS, RunImage, plan_image, sudo_build
from firstbell.work import build
from firstbell.work.base_image import debian_like
from firstbell.work.fetch import fetch
from firstbell.work.folder import read_folder, warnings
from firstbell.work.project import Project, read_ca_bundle


@dataclass(frozen=True, slots=True)
class Told:
    """What a command on a run's container has to know beside the wish."""

    image: RunImage
    network: Network
    authorities: bytes = b""


def folder_told(project: Project, report: Report) -> Told:
    """A folder's image, and what it is built with; `report` hears what a person should know of the folder."""
    settings = project.settings
    facts = read_folder(project.directory)
    for warning in warnings(facts, settings):
        report(warning)
    spec = project_build(facts, settings)
    ours = tuple(ref for ref in bases(spec.dockerfile) if ref == settings.base or debian_like(ref) is not None)
    return Told(RunImage(spec.tag, spec, ours), settings.network, settings.ca_bundle)


def image_told(ref: str, env: Mapping[str, str]) -> Told:
    """An image that exists somewhere. Raises CourseFileError for a name that cannot be."""
    network = network_of(env)
    return Told(RunImage(str(parse_reference(ref))), network, read_ca_bundle(network))


async def image_steps(engine: Engine, image: RunImage) -> tuple[Step, ...]:
    """The steps to the image."""
    if await engine.image(image.ref) is not None:
        return ()
    return plan_image(image, [base for base in image.bases if await engine.image(base) is None])


async def with_sudo(engine: Engine, wish: Wish, told: Told) -> tuple[str, tuple[Step, ...]]:
    """The image to run, and the step that adds sudo where it is wanted and missing."""
    ref = told.image.ref
    if wish.sudo is None:
        return ref, ()
    state = await engine.image(ref)
    if state is not None and await engine.read_image_files(ref, (SUDOERS,)):
        return ref, ()
    spec = sudo_build(ref, state.id if state else "", told.network, told.authorities)
    there = await engine.image(spec.tag) is not None
    return spec.tag, () if there else (BuildImage(spec, "sudo"),)


async def act(engine: Engine, told: Told, step: Step, report: Report) -> None:
    """Carry out a step that leads to a run's container."""
    match step:
        case PullImage(ref=ref) if ref == told.image.ref:
            await fetch(engine, ref, told.network, report)
        case PullImage(ref=ref):
            await build.get_base(engine, ref, told.network, report)
        case BuildImage(spec=spec):
            await build.build(engine, spec, report)
        case EnsureNetwork(spec=spec):
            await engine.ensure_network(spec)
        case EnsureVolume(spec=spec):
            await engine.ensure_volume(spec)
        case _:
            raise AssertionError(step)
