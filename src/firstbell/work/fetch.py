"""Images from registries: with the person's own login, and by way of a mirror where one is named."""

from __future__ import annotations

import asyncio
import os

from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import RegistryFailed
from firstbell.model.image import Progress
from firstbell.model.network import Network
from firstbell.model.observed import ImageState
from firstbell.model.registry import Credentials, Reference, parse_reference
from firstbell.work.credentials import find_credentials


async def login_of(engine: Engine, reference: Reference) -> Credentials | None:
    """The person's login of a reference's registry. Raises CourseFileError, EngineUnavailable."""
    usual = "" if reference.registry else (await engine.facts()).registry_address
    return await asyncio.to_thread(find_credentials, reference.registry, os.environ, usual=usual)


async def fetch(engine: Engine, ref: str, network: Network, report: Report = ignore) -> ImageState:
    """Pull an image; one of Docker Hub's by way of `[network] registry` first.

    Raises RegistryFailed with what mirror and registry said, CourseFileError for a name that cannot be.
    """
    reference = parse_reference(ref)
    if not network.registry or reference.registry or reference.digest:
        return await engine.pull(ref, report, await login_of(engine, reference))
    mirrored = parse_reference(mirror_name(reference, network.registry))
    try:
        await engine.pull(str(mirrored), report, await login_of(engine, mirrored))
    except RegistryFailed as refused:
        report(Progress(f"the mirror has not given {ref} ({refused.evidence[-1]}); asking {reference.place}"))
        try:
            return await engine.pull(ref, report, await login_of(engine, reference))
        except RegistryFailed as error:
            error.evidence = (*refused.evidence, *error.evidence)
            error.next_step = f"See that [network] registry, {network.registry}, has {mirrored}. {error.next_step}"
            raise
    await engine.tag(str(mirrored), ref)
    await engine.remove_image(str(mirrored))
    found = await engine.image(ref)
    if found is None:
        raise RegistryFailed(f"{ref} was pulled, and is not there", where=ref, next_step="See `docker images`.")
    return found


def mirror_name(reference: Reference, mirror: str) -> str:
    """What a mirror calls an image of Docker Hub: there even those without a namespace have one, `library`."""
    place = mirror.removeprefix("https://").removeprefix("http://").rstrip("/")
    repository = reference.repository if "/" in reference.repository else f"library/{reference.repository}"
    return f"{place}/{repository}:{reference.tag}"
