"""What `up` reads before it plans: the folder, our own wheel, certificates, and this machine's network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from firstbell.engine.base import Engine, Report, ignore
from firstbell.engine.waiting import together
from firstbell.errors import CourseFileError
from firstbell.model.course import CertificateFiles, Course
from firstbell.model.image import BuildSpec
from firstbell.model.observed import Observed
from firstbell.plan.mirrors import mirror_urls
from firstbell.plan.network import WayOut
from firstbell.plan.project_image import bases
from firstbell.plan.services import Inputs
from firstbell.work import build
from firstbell.work.base_image import debian_like
from firstbell.work.project import read_ca_bundle
from firstbell.work.static_files import are_laid_out

_SOCKET = "/var/run/docker.sock"


async def gather(engine: Engine, course: Course) -> Inputs:
    """Everything `plan/deploy.py` wants to know that is not on the engine."""
    path = engine_socket(course)
    images = await gather_images(engine, course)
    return replace(
        images,
        static_missing=not course.server.port and not await are_laid_out(engine, course.name, images.server_image),
        socket=path,
        socket_gid=Path(path).stat().st_gid if Path(path).exists() else 0,
        roster_csv=course.access.roster.read_bytes() if course.access.login == "roster" else b"",
        ca_bundle=read_ca_bundle(course.network),
        cert=course.tls.cert.read_bytes() if isinstance(course.tls, CertificateFiles) else b"",
        key=course.tls.key.read_bytes() if isinstance(course.tls, CertificateFiles) else b"",
        way_out=await asyncio.to_thread(way_out, course),
        has_project=course.server.project is not None and not course.server.port,
    )


async def gather_images(engine: Engine, course: Course, report: Report = ignore) -> Inputs:
    """The part of it that says which images the course runs from, and which of them this engine does not have."""
    hub_image, course_image, sidecar_image, vault_image = await asyncio.gather(
        asyncio.to_thread(build.plan_hub_image, course),
        asyncio.to_thread(build.plan_course_image, course, report),
        asyncio.to_thread(build.plan_sidecar_image, course),
        asyncio.to_thread(build.plan_vault_image, course),
    )
    server_image = course_image.tag if course_image else course.server.image
    base, server, hub = await together(
        *(engine.image(ref) for ref in (course.server.base, server_image, hub_image.tag))
    )
    sidecar = await engine.image(sidecar_image.tag) if sidecar_image else None
    vault = await engine.image(vault_image.tag) if vault_image else None
    return Inputs(
        course=course,
        hub_image=hub_image,
        course_image=course_image,
        sidecar_image=sidecar_image,
        vault_image=vault_image,
        base_missing=base is None,
        course_bases_missing=await _missing_bases(engine, course, course_image) if server is None else (),
        course_image_missing=server is None,
        hub_image_missing=hub is None,
        sidecar_image_missing=sidecar is None,
        vault_image_missing=vault is None,
    )


async def _missing_bases(engine: Engine, course: Course, image: BuildSpec | None) -> tuple[str, ...]:
    """What a folder's image begins with beside the course's base, as far as it can be had without the builder."""
    wanted = bases(image.dockerfile) if image else ()
    others = [ref for ref in wanted if ref != course.server.base and debian_like(ref)]
    return tuple([ref for ref in others if await engine.image(ref) is None])


async def observe_course(engine: Engine, course: Course) -> Observed:
    """What exists of a course, and every subnet that this machine uses."""
    observed = await engine.observe(course.name)
    return replace(observed, used_subnets=(*observed.used_subnets, *host_routes()))


def engine_host(course: Course) -> str:
    """Where the course's daemon is, as in DOCKER_HOST."""
    return course.engine.host or os.environ.get("DOCKER_HOST", "") or f"unix://{_SOCKET}"


def is_local(course: Course) -> bool:
    """Whether the daemon is this machine's own."""
    return engine_host(course).startswith("unix://")


def engine_socket(course: Course) -> str:
    """The daemon's Unix socket on its own machine, which the hub's container needs.

    Raises CourseFileError where there is none; a cluster's manager elsewhere is taken to have the usual one.
    """
    host = engine_host(course)
    if not host.startswith("unix://") and course.engine.kind == "swarm":
        return _SOCKET
    if not host.startswith("unix://"):
        raise CourseFileError(
            f"the hub speaks to the engine by its Unix socket, and {host} is none",
            where="[engine] host",
            next_step="Run this command on the engine's own machine.",
        )
    return host.removeprefix("unix://")


def way_out(course: Course) -> WayOut:
    """The machine's resolvers, and where the configured mirrors and proxy are now."""
    endpoints = dict.fromkeys(e for url in mirror_urls(course.network) for e in _endpoints(url))
    return WayOut(resolvers=machine_resolvers(), endpoints=tuple(endpoints))


_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The second is what Docker gives to containers where the first names systemd-resolved on the loopback."""


def machine_resolvers(files: Iterable[Path] = _RESOLVERS) -> tuple[str, ...]:
    """The name servers that a container on this machine may ask."""
    found: dict[str, None] = {}
    for file in files:
        with contextlib.suppress(OSError):
            words = [line.split() for line in file.read_text().splitlines()]
            found |= {w[1].split("%")[0]: None for w in words if len(w) > 1 and w[0] == "nameserver"}
    return tuple(found)


def _endpoints(url: str) -> tuple[tuple[str, int], ...]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys((str(item[4][0]), port) for item in found))


def host_routes() -> tuple[str, ...]:
    """The IPv4 networks this machine has routes to (CIDR), from the kernel's table; none where there is no /proc."""
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return ()
    return tuple(filter(None, (_cidr(line.split()) for line in lines)))


def _cidr(fields: list[str]) -> str:
    destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
    if mask == 0:
        return ""
    address = ".".join(str(b) for b in destination.to_bytes(4, "big"))
    return f"{address}/{mask.bit_count()}"
