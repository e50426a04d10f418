"""Makes sure that an image exists: what is there is left alone, what is missing is pulled, built, or made."""

from __future__ import annotations

import asyncio

import stamina

from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import BuildFailed
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.names import Role
from firstbell.model.network import Network
from firstbell.model.observed import ImageState
from firstbell.plan.build_advice import advice, is_network_failure
from firstbell.plan.hub_image import hub_build
from firstbell.plan.image import project_build
from firstbell.plan.sidecar_image import sidecar_build
from firstbell.plan.vault_image import vault_build
from firstbell.work.base_image import debian_like, make_base
from firstbell.work.fetch import fetch
from firstbell.work.folder import read_folder, warnings
from firstbell.work.kernels import verify
from firstbell.work.project import course_settings, read_ca_bundle
from firstbell.work.wheel import own_wheel

__all__ = [
    "build",
    "check_image",
    "get_base",
    "plan_course_image",
    "plan_hub_image",
    "plan_sidecar_image",
    "plan_vault_image",
    "read_folder",
]

_ATTEMPTS = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 20.0
"""Seconds between attempts; every tool inside the build has its own, shorter ones."""


def plan_course_image(course: Course, report: Report = ignore) -> BuildSpec | None:
    """How the course's image is built, from its folder; None where the course names an image as it is."""
    if course.server.project is None:
        return None
    facts = read_folder(course.server.project)
    settings = course_settings(course)
    for warning in warnings(facts, settings):
        report(warning)
    return project_build(facts, settings)


def plan_hub_image(course: Course) -> BuildSpec:
    """How the hub's image is built, from the Firstbell that runs."""
    name, wheel = own_wheel()
    return hub_build(course, wheel, name, read_ca_bundle(course.network))


def plan_sidecar_image(course: Course) -> BuildSpec | None:
    """How the image of the side-cars is built; None where servers are Jupyter and need none."""
    return sidecar_build(course, read_ca_bundle(course.network)) if course.server.port else None


def plan_vault_image(course: Course) -> BuildSpec | None:
    """How the image in which restic works is built; None where the course has no backups."""
    return vault_build(course, read_ca_bundle(course.network)) if course.backup else None


async def get_base(engine: Engine, ref: str, network: Network, report: Report = ignore) -> ImageState:
    """The base image: the engine's own, else pulled, else (Debian, Ubuntu) made from the distribution's mirror."""
    if there := await engine.image(ref):
        return there
    try:
        return await fetch(engine, ref, network, report)
    except BuildFailed as error:
        if debian_like(ref) is None:
            raise
        report(Progress(f"no registry answers for {ref} ({error.what}); making it from the distribution's own mirror"))
        return await make_base(engine, ref, network, report)


async def build(engine: Engine, spec: BuildSpec, report: Report = ignore) -> ImageState:
    """The image of `spec`: the one that is there, or built, with pauses and another attempt where the network failed.

    Kernels of languages are part of what is built: each has executed its smoke notebook when this returns. Raises
    BuildFailed with the failing step's last lines and what helps.
    """
    if not spec.no_cache and (there := await engine.image(spec.tag)):
        return there
    try:
        async for attempt in stamina.retry_context(
            on=_is_network_failure, attempts=_ATTEMPTS, timeout=None, wait_initial=_FIRST_PAUSE, wait_max=_LONGEST_PAUSE
        ):
            with attempt:
                if attempt.num > 1:
                    report(Progress(f"the network failed; attempt {attempt.num} of {_ATTEMPTS}"))
                built = await engine.build(spec, report)
    except BuildFailed as error:
        raise _advised(error, spec) from error
    await _verify_kernels(engine, spec, report)
    return built


async def _verify_kernels(engine: Engine, spec: BuildSpec, report: Report) -> None:
    """An image in which a kernel fails is not left behind: the next build would take it for done."""
    if not spec.kernels or await _is_verified(engine, spec):
        return
    try:
        await verify(engine, spec.tag, spec.kernels, report)
    except BaseException:
        await asyncio.shield(engine.remove_image(spec.tag))
        raise


async def _is_verified(engine: Engine, spec: BuildSpec) -> bool:
    """Whether an image of the same steps is there: it has passed, and only its notebooks and data are others."""
    steps = spec.labels.get(names.LABEL_STEPS, "")
    images = (await engine.observe("")).images
    return any(steps and i.labels.get(names.LABEL_STEPS) == steps and i.ref not in {spec.tag, i.id} for i in images)


async def check_image(engine: Engine, image: str, course: str) -> None:
    """Raises BuildFailed unless a server can run in the image: python3 must be able to import jupyter_server.

    Trouble that says nothing about the image, a full disk for example, stays the StartFailed that it is.
    """
    spec = ContainerSpec(
        name=f"{names.container(course, Role.HELPER)}-check",
        image=image,
        command=("python3", "-c", "import jupyter_server"),
        labels=frozen(names.labels(course, Role.HELPER)),
    )
    result = await engine.run(spec, deadline=120)
    if result.exit_code:
        raise _no_jupyter(image, result.lines)


def _no_jupyter(image: str, evidence: tuple[str, ...]) -> BuildFailed:
    return BuildFailed(
        "python3 in this image cannot import jupyter_server, so no notebook server can run in it",
        where=image,
        evidence=evidence[-5:],
        next_step="Add to its Dockerfile: RUN python3 -m pip install jupyterlab",
    )


def _advised(error: BuildFailed, spec: BuildSpec) -> BuildFailed:
    lines = (error.what, *error.evidence)
    steps = " ".join(part for part in (advice(lines, spec.args), error.next_step) if part)
    return BuildFailed(error.what, where=error.where, evidence=error.evidence, next_step=steps)


def _is_network_failure(error: Exception) -> bool:
    return isinstance(error, BuildFailed) and is_network_failure((error.what, *error.evidence))
